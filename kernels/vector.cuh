// What is stored, float32 or bfloat16, and what is computed with: vectors of float32.
#pragma once

#include "tensor.cuh"

// Width neighbours. A thread moves 16 bytes at a time where addresses allow it, 4 float32 or 8 bfloat16, else one element.
template <int Width> struct Vector {
	float v[Width];
};

// each returns the vector of f(0) to f(Width-1).
template <int Width, class F> DEVICE Vector<Width> each(F f) {
	Vector<Width> r;
#pragma unroll
	for (int i = 0; i < Width; i++) r.v[i] = f(i);
	return r;
}

DEVICE float load(const float *p) { return *p; }
DEVICE float load(const bf16 *p) { return to_float(*p); }

DEVICE void store(float *p, float v) { *p = v; }
DEVICE void store(bf16 *p, float v) { *p = to_bf16(v); }

// load reads Width neighbours: one, or a multiple of 16 bytes at a multiple of 16 bytes.
template <int Width> DEVICE Vector<Width> load(const float *p) {
	if constexpr (Width == 1) {
		return {{*p}};
	} else {
		static_assert(Width % 4 == 0, "whole accesses of 16 bytes");
		Vector<Width> r;
#pragma unroll
		for (int i = 0; i < Width; i += 4) {
			const float4 v = load4(p + i);
			r.v[i] = v.x, r.v[i + 1] = v.y, r.v[i + 2] = v.z, r.v[i + 3] = v.w;
		}
		return r;
	}
}

template <int Width> DEVICE Vector<Width> load(const bf16 *p) {
	if constexpr (Width == 1) {
		return {{to_float(*p)}};
	} else {
		static_assert(Width == 8, "one access of 16 bytes");
		const uint4 v = load_vector<uint4>(p);
		const uint32_t words[4] = {v.x, v.y, v.z, v.w};
		return each<Width>([&](int i) { return to_float(bf16{static_cast<uint16_t>(words[i / 2] >> 16 * (i % 2))}); });
	}
}

template <int Width> DEVICE void store(float *p, const Vector<Width> &v) {
	if constexpr (Width == 1) {
		*p = v.v[0];
	} else {
#pragma unroll
		for (int i = 0; i < Width; i += 4) store4(p + i, make_float4(v.v[i], v.v[i + 1], v.v[i + 2], v.v[i + 3]));
	}
}

template <int Width> DEVICE void store(bf16 *p, const Vector<Width> &v) {
	if constexpr (Width == 1)
		*p = to_bf16(v.v[0]);
	else
		store_vector(p, make_uint4(pack_bf16(v.v[0], v.v[1]), pack_bf16(v.v[2], v.v[3]), pack_bf16(v.v[4], v.v[5]), pack_bf16(v.v[6], v.v[7])));
}

// put stores v, or adds it to what is there: the sum is rounded once.
template <int Width, class T> DEVICE void put(T *p, const Vector<Width> &v, int accumulate) {
	if (accumulate) {
		const Vector<Width> old = load<Width>(p);
		store<Width>(p, each<Width>([&](int i) { return old.v[i] + v.v[i]; }));
	} else {
		store<Width>(p, v);
	}
}

// FOR_EACH_STORAGE(KERNEL) expands KERNEL(suffix, T, Width, blocks) for every way in which activations of type T may lie in memory: anywhere, or in whole
// vectors. `blocks` of 256 threads are to fit into a multiprocessor, which leaves 64 registers for each of 4 values, and 128 for 8.
#define FOR_EACH_STORAGE(KERNEL) \
	KERNEL(_f32, float, 1, 4)    \
	KERNEL(_f32_x4, float, 4, 4) \
	KERNEL(_bf16, bf16, 1, 4)    \
	KERNEL(_bf16_x8, bf16, 8, 2)

// FOR_EACH_TYPE(KERNEL) expands KERNEL(suffix, T).
#define FOR_EACH_TYPE(KERNEL) \
	KERNEL(_f32, float)       \
	KERNEL(_bf16, bf16)
