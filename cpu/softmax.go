package cpu

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// exponentials writes exp(x - max) to y, and returns max and the sum of y. y may be x.
func exponentials(y, x []float32) (top, sum float64) {
	largest := x[0]
	for _, v := range x {
		largest = max(largest, v) // keeps NaN
	}
	top = float64(largest)
	y = y[:len(x)]
	for i, v := range x {
		e := math.Exp(float64(v) - top)
		sum += e
		y[i] = float32(e)
	}
	return top, sum
}

func bindSoftmax(b *binder, s device.Softmax) []phase {
	x, y := b.mem(s.X, s.Rows*s.Classes), b.mem(s.Y, s.Rows*s.Classes)
	return overRows(s.Rows, 8*s.Classes, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			out := y[r*s.Classes:][:s.Classes]
			_, sum := exponentials(out, x[r*s.Classes:][:s.Classes])
			scale := float32(1 / sum)
			for i := range out {
				out[i] *= scale
			}
		}
	})
}

func bindSoftmaxBackward(b *binder, s device.SoftmaxBackward) []phase {
	n := s.Rows * s.Classes
	y, dy, dx := b.mem(s.Y, n), b.mem(s.DY, n), b.mem(s.DX, n)
	return overRows(s.Rows, s.Classes, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			p, d, out := y[r*s.Classes:][:s.Classes], dy[r*s.Classes:][:s.Classes], dx[r*s.Classes:][:s.Classes]
			dot := 0.0
			for i, v := range p {
				dot += float64(v) * float64(d[i])
			}
			for i, v := range p {
				put(&out[i], float64(v)*(float64(d[i])-dot), s.Accumulate)
			}
		}
	})
}
