package cpu

import (
	"math"

	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
)

// activate applies a to every element of y, in place.
func activate(a device.Act, y []float32) {
	if kernel.Available {
		if a != device.Identity {
			kernel.Act(int(a), y, y)
		}
		return
	}
	switch a {
	case device.ReLU:
		for i, v := range y {
			y[i] = max(v, 0) // keeps NaN, and does not branch on random signs
		}
	case device.ReLU6:
		for i, v := range y {
			y[i] = min(max(v, 0), 6)
		}
	case device.Tanh:
		for i, v := range y {
			y[i] = tanh(v)
		}
	case device.Sigmoid:
		for i, v := range y {
			y[i] = float32(1 / (1 + math.Exp(-float64(v))))
		}
	}
}

// slope writes dy·act'(x) to dx, with the derivative expressed in the output y. dx may be dy.
func slope(a device.Act, dx, dy, y []float32) {
	dy, y = dy[:len(dx)], y[:len(dx)]
	switch a {
	case device.Identity:
		copy(dx, dy)
	case device.ReLU:
		for i := range dx {
			dx[i] = math.Float32frombits(math.Float32bits(dy[i]) & positive(y[i]))
		}
	case device.ReLU6:
		for i := range dx {
			dx[i] = math.Float32frombits(math.Float32bits(dy[i]) & positive(y[i]) & positive(6-y[i]))
		}
	case device.Tanh:
		for i := range dx {
			dx[i] = dy[i] * (1 - y[i]*y[i])
		}
	case device.Sigmoid:
		for i := range dx {
			dx[i] = dy[i] * (y[i] * (1 - y[i]))
		}
	}
}

// positive returns all ones if v > 0, else 0, without a branch that random signs would mispredict.
func positive(v float32) uint32 {
	b := int32(math.Float32bits(v))
	return uint32(-b >> 31 &^ (b >> 31)) // -b is negative for positive v and for -0, which the second factor removes
}

func bindActForward(b *binder, f device.ActForward) []phase {
	x, y := b.mem(f.X, f.N), b.mem(f.Y, f.N)
	if kernel.Available {
		return elementwise(f.N, func(lo, hi int) { kernel.Act(int(f.Act), y[lo:hi], x[lo:hi]) })
	}
	return elementwise(f.N, func(lo, hi int) {
		copy(y[lo:hi], x[lo:hi])
		activate(f.Act, y[lo:hi])
	})
}

// block is the number of elements that are computed into a buffer on the stack before they are added elsewhere.
const block = 256

func bindActBackward(b *binder, g device.ActBackward) []phase {
	y, dy, dx := b.mem(g.Y, g.N), b.mem(g.DY, g.N), b.mem(g.DX, g.N)
	if kernel.Available {
		return elementwise(g.N, func(lo, hi int) { kernel.ActBackward(int(g.Act), dx[lo:hi], dy[lo:hi], y[lo:hi], g.Accumulate) })
	}
	if !g.Accumulate {
		return elementwise(g.N, func(lo, hi int) { slope(g.Act, dx[lo:hi], dy[lo:hi], y[lo:hi]) })
	}
	return elementwise(g.N, func(lo, hi int) {
		var buf [block]float32
		for ; lo < hi; lo += block {
			end := min(lo+block, hi)
			part := buf[:end-lo]
			slope(g.Act, part, dy[lo:end], y[lo:end])
			accumulate(dx[lo:end], part)
		}
	})
}

// worthCall is the number of elements from which on a call to C pays where a loop in Go would do.
const worthCall = 256

// accumulate adds src to dst, elementwise.
func accumulate(dst, src []float32) {
	if kernel.Available && len(dst) >= worthCall {
		kernel.Add(dst, dst, src[:len(dst)])
		return
	}
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] += v
	}
}
