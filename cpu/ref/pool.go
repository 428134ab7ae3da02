package ref

import "github.com/cnnctl/cnnctl/device"

// windows calls f for every output element of a pooling window, with its index, its row and its column.
func windows(v device.Window, f func(y, n, p, q, c int)) {
	for n := range v.N {
		for p := range v.P {
			for q := range v.Q {
				for c := range v.C {
					f(((n*v.P+p)*v.Q+q)*v.C+c, n, p, q, c)
				}
			}
		}
	}
}

// pixels calls f for the positions of window (p, q) that lie in the image, in row order, with the index of the input
// element and the position's number r*S+s.
func pixels(v device.Window, n, p, q, c int, f func(x, pos int)) {
	for r := range v.R {
		for s := range v.S {
			h := p*v.StrideH - v.PadTop + r*v.DilH
			w := q*v.StrideW - v.PadLeft + s*v.DilW
			if h >= 0 && h < v.H && w >= 0 && w < v.W {
				f(((n*v.H+h)*v.W+w)*v.C+c, r*v.S+s)
			}
		}
	}
}

func maxPoolForward(b *binder, f device.MaxPoolForward) func() {
	x, y, arg := b.in(f.X, f.In(), f.Type), b.out(f.Y, f.Out(f.C), f.Type), b.mem(f.Arg, f.Out(f.C))
	return func() { findLargest(f.Window, x, y, arg) }
}

// findLargest writes the largest elements of the windows over x to y, and their positions to arg unless that is nil.
func findLargest(v device.Window, x, y, arg []float64) {
	windows(v, func(i, n, p, q, c int) {
		best, at := 0.0, -1
		pixels(v, n, p, q, c, func(j, pos int) {
			if u := x[j]; at < 0 || u > best || u != u && best == best {
				best, at = u, pos
			}
		})
		y[i] = best
		if arg != nil {
			arg[i] = float64(at)
		}
	})
}

func maxPoolBackward(b *binder, g device.MaxPoolBackward) func() {
	dy, arg, dx := b.in(g.DY, g.Out(g.C), g.Type), b.mem(g.Arg, g.Out(g.C)), b.out(g.DX, g.In(), g.Type)
	return func() {
		if !g.Accumulate {
			clear(dx)
		}
		passToLargest(g.Window, dy, arg, dx)
	}
}

// passToLargest adds dy to the elements of dx that were largest in their windows.
func passToLargest(v device.Window, dy, arg, dx []float64) {
	windows(v, func(i, n, p, q, c int) {
		pixels(v, n, p, q, c, func(j, pos int) {
			if float64(pos) == arg[i] {
				dx[j] += dy[i]
			}
		})
	})
}

func avgPoolForward(b *binder, f device.AvgPoolForward) func() {
	x, y := b.in(f.X, f.In(), f.Type), b.out(f.Y, f.Out(f.C), f.Type)
	return func() {
		windows(f.Window, func(i, n, p, q, c int) {
			sum := 0.0
			pixels(f.Window, n, p, q, c, func(j, _ int) { sum += x[j] })
			y[i] = sum / float64(f.Divisor(p, q))
		})
	}
}

func avgPoolBackward(b *binder, g device.AvgPoolBackward) func() {
	dy, dx := b.in(g.DY, g.Out(g.C), g.Type), b.out(g.DX, g.In(), g.Type)
	return func() {
		if !g.Accumulate {
			clear(dx)
		}
		windows(g.Window, func(i, n, p, q, c int) {
			share := dy[i] / float64(g.Divisor(p, q))
			pixels(g.Window, n, p, q, c, func(j, _ int) { dx[j] += share })
		})
	}
}

// spans calls f for every pair of an output element and an input element that it averages, with the number of inputs
// of that average.
func spans(n, h, w, c, p, q int, f func(y, x, count int)) {
	for i := range n * p * q * c {
		ch, col, row, img := i%c, i/c%q, i/c/q%p, i/c/q/p
		h0, h1 := device.AdaptiveSpan(row, h, p)
		w0, w1 := device.AdaptiveSpan(col, w, q)
		for a := h0; a < h1; a++ {
			for b := w0; b < w1; b++ {
				f(i, ((img*h+a)*w+b)*c+ch, (h1-h0)*(w1-w0))
			}
		}
	}
}

func adaptiveAvgPoolForward(b *binder, f device.AdaptiveAvgPoolForward) func() {
	x, y := b.in(f.X, f.N*f.H*f.W*f.C, f.Type), b.out(f.Y, f.N*f.P*f.Q*f.C, f.Type)
	return func() {
		clear(y)
		spans(f.N, f.H, f.W, f.C, f.P, f.Q, func(i, j, count int) { y[i] += x[j] / float64(count) })
	}
}

func adaptiveAvgPoolBackward(b *binder, g device.AdaptiveAvgPoolBackward) func() {
	dy, dx := b.in(g.DY, g.N*g.P*g.Q*g.C, g.Type), b.out(g.DX, g.N*g.H*g.W*g.C, g.Type)
	return func() {
		if !g.Accumulate {
			clear(dx)
		}
		spans(g.N, g.H, g.W, g.C, g.P, g.Q, func(i, j, count int) { dx[j] += dy[i] / float64(count) })
	}
}
