package cpu

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// negativePower returns s^-beta. Every published network has beta 3/4, which two square roots give in a tenth of the time.
func negativePower(s, beta float64) float64 {
	if beta == 0.75 {
		root := math.Sqrt(s)
		return 1 / (root * math.Sqrt(root))
	}
	return math.Pow(s, -beta)
}

func bindLRNForward(b *binder, f device.LRNForward) []phase {
	n := f.Rows * f.C
	x, y, scale := b.mem(f.X, n), b.mem(f.Y, n), b.mem(f.Scale, n)
	k, alpha, beta := float64(f.K), float64(f.Alpha), float64(f.Beta)
	return overRows(f.Rows, 8*f.C, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			in, out := x[r*f.C:][:f.C], y[r*f.C:][:f.C]
			for c, v := range in {
				s := k + alpha*sumSquares(in[max(0, c-f.Size/2):min(f.C, c-f.Size/2+f.Size)])
				out[c] = float32(float64(v) * negativePower(s, beta))
				if scale != nil {
					scale[r*f.C+c] = float32(s)
				}
			}
		}
	})
}

func sumSquares(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
}

func bindLRNBackward(b *binder, g device.LRNBackward) []phase {
	n := g.Rows * g.C
	x, y, scale, dy, dx := b.mem(g.X, n), b.mem(g.Y, n), b.mem(g.Scale, n), b.mem(g.DY, n), b.mem(g.DX, n)
	alpha, beta := float64(g.Alpha), float64(g.Beta)
	after := g.Size/2 + 1 // channel c lies in the windows of channels c-(Size-1-Size/2) to c+Size/2
	return overRows(g.Rows, 8*g.C, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			o := r * g.C
			in, out, sc, d, res := x[o:o+g.C], y[o:o+g.C], scale[o:o+g.C], dy[o:o+g.C], dx[o:o+g.C]
			for c := range res {
				sum := 0.0
				for j := max(0, c+after-g.Size); j < min(g.C, c+after); j++ {
					sum += float64(d[j]) * float64(out[j]) / float64(sc[j])
				}
				v := float64(d[c])*negativePower(float64(sc[c]), beta) - 2*alpha*beta*float64(in[c])*sum
				put(&res[c], v, g.Accumulate)
			}
		}
	})
}
