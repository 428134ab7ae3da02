package ref

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// inWindow reports whether the window of channel c, which begins size/2 channels before it, holds channel j.
func inWindow(c, j, size int) bool { return j >= c-size/2 && j < c-size/2+size }

func lrnForward(b *binder, f device.LRNForward) func() {
	n := f.Rows * f.C
	x, y, scale := b.in(f.X, n, f.Type), b.out(f.Y, n, f.Type), b.mem(f.Scale, n)
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
	x, y, dy := b.in(g.X, n, g.Type), b.in(g.Y, n, g.Type), b.in(g.DY, n, g.Type)
	scale, dx := b.mem(g.Scale, n), b.out(g.DX, n, g.Type)
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
