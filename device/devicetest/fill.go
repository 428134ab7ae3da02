package devicetest

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/philox"
)

// A Fill writes the contents of an operand before the call.
type Fill func(s *philox.Stream, v []float32)

// Normal draws normal values with a standard deviation.
func Normal(sd float64) Fill {
	return func(s *philox.Stream, v []float32) {
		for i := range v {
			v[i] = float32(sd * s.Normal())
		}
	}
}

// Uniform draws values of [lo, hi).
func Uniform(lo, hi float64) Fill {
	return func(s *philox.Stream, v []float32) {
		for i := range v {
			v[i] = float32(s.Uniform(lo, hi))
		}
	}
}

// Integers draws whole numbers of [lo, hi): many of them are equal.
func Integers(lo, hi int) Fill {
	return func(s *philox.Stream, v []float32) {
		for i := range v {
			v[i] = float32(lo + s.IntN(hi-lo))
		}
	}
}

// Constant repeats values.
func Constant(values ...float32) Fill {
	return func(_ *philox.Stream, v []float32) {
		for i := range v {
			v[i] = values[i%len(values)]
		}
	}
}

// sprinkled replaces about one in every elements of f by a value.
func sprinkled(f Fill, every int, value float64) Fill {
	return func(s *philox.Stream, v []float32) {
		f(s, v)
		for i := range v {
			if s.IntN(every) == 0 {
				v[i] = float32(value)
			}
		}
	}
}

// activations are the outputs that act gives for normal inputs, with both bounds of ReLU6 among them.
func activations(act device.Act) Fill {
	return func(s *philox.Stream, v []float32) {
		for i := range v {
			x := 4 * s.Normal()
			switch act {
			case device.ReLU:
				x = max(0, x)
			case device.ReLU6:
				x = min(max(0, x), 6)
			case device.Tanh:
				x = math.Tanh(x)
			case device.Sigmoid:
				x = 1 / (1 + math.Exp(-x))
			}
			v[i] = float32(x)
		}
	}
}

// hyper is an encoded device.Hyper.
func hyper(h device.Hyper) Fill {
	return func(_ *philox.Stream, v []float32) { h.Encode(device.Bytes(v)) }
}
