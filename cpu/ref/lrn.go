package ref

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// inWindow reports whether the window of channel c, which begins size/2 channels before it, holds channel j.
func inWindow(c, j, size int) bool { return j >= c-size/2 && j < c-size/2+size }

func lrnForward(b *binder, f device.LRNForward) func() {
	x, y, scale := b.mem(f.X, f.Rows*f.C), b.mem(f.Y, f.Rows*f.C), b.mem(f.Scale, f.Rows*f.C)
	return func() {
		for r := range f.Rows {
			for c := range f.C {
				sum := 0.0
				for j := range f.C {
					if inWindow(c, j, f.Size) {
						sum += x[r*f.C+j] * x[r*f.C+j]
					}
				}
				s := float64(f.K) + float64(f.Alpha)*sum
				y[r*f.C+c] = x[r*f.C+c] * math.Pow(s, -float64(f.Beta))
				if scale != nil {
					scale[r*f.C+c] = s
				}
			}
		}
	}
}

func lrnBackward(b *binder, g device.LRNBackward) func() {
	n := g.Rows * g.C
	x, y, scale, dy, dx := b.mem(g.X, n), b.mem(g.Y, n), b.mem(g.Scale, n), b.mem(g.DY, n), b.mem(g.DX, n)
	alpha, beta := float64(g.Alpha), float64(g.Beta)
	return func() {
		for r := range g.Rows {
			for c := range g.C {
				sum := 0.0
				for j := range g.C {
					if o := r*g.C + j; inWindow(j, c, g.Size) {
						sum += dy[o] * y[o] / scale[o]
					}
				}
				i := r*g.C + c
				store(&dx[i], dy[i]*math.Pow(scale[i], -beta)-2*alpha*beta*x[i]*sum, g.Accumulate)
			}
		}
	}
}
