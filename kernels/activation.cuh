// The activation functions and their derivatives, numbered as device.Act.
#pragma once

#include "cuda.cuh"

enum Activation { identity, relu, relu6, hyperbolic_tangent, sigmoid };

// activate returns act(x). NaN stays NaN, which fmaxf would hide. The branches are uniform: act is a kernel parameter.
DEVICE float activate(int act, float x) {
	switch (act) {
	case relu: return x <= 0 ? 0.0f : x;
	case relu6: return x <= 0 ? 0.0f : x > 6 ? 6.0f : x;
	case hyperbolic_tangent: return tanhf(x);
	case sigmoid: return 1.0f / (1.0f + expf(-x));
	}
	return x;
}

// slope returns dy·act'(x), with the derivative expressed in the output y.
DEVICE float slope(int act, float dy, float y) {
	switch (act) {
	case relu: return y > 0 ? dy : 0.0f;
	case relu6: return y > 0 && y < 6 ? dy : 0.0f;
	case hyperbolic_tangent: return dy * (1.0f - y * y);
	case sigmoid: return dy * (y * (1.0f - y));
	}
	return dy;
}

DEVICE float4 activate(int act, float4 v) {
	return make_float4(activate(act, v.x), activate(act, v.y), activate(act, v.z), activate(act, v.w));
}
