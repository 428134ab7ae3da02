package cpu

import (
	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
)

// averages is what average pooling and its adaptive form have in common: every output pixel is the mean over a rectangle of taps.
// Both forms reduce to one table for the rows and one for the columns.
type averages struct {
	n, h, w, c int
	rows, cols []taps // of the output rows and columns
}

// taps are the input positions along one axis that an output reads, all inside the image, and how many the mean counts.
type taps = kernel.Taps

// windowTaps lists the taps of an axis of a pooling window.
func windowTaps(outputs, stride, before, size, dil, n int, divisor func(o int) int) []taps {
	list := make([]taps, outputs)
	for o := range list {
		t := taps{Step: int64(dil), Divisor: int64(divisor(o))}
		for k := range size {
			if i := o*stride - before + k*dil; i >= 0 && i < n {
				if t.Count == 0 {
					t.First = int64(i)
				}
				t.Count++
			}
		}
		list[o] = t
	}
	return list
}

// adaptiveTaps lists the taps of an axis of adaptive pooling.
func adaptiveTaps(outputs, n int) []taps {
	list := make([]taps, outputs)
	for o := range list {
		lo, hi := device.AdaptiveSpan(o, n, outputs)
		list[o] = taps{First: int64(lo), Step: 1, Count: int64(hi - lo), Divisor: int64(hi - lo)}
	}
	return list
}

func windowAverages(f device.AvgPoolForward) averages {
	// The divisor of a window is a product of one factor for its row and one for its column. With a single tap
	// across, that factor is 1, and Divisor gives the other.
	high, wide := f, f
	high.S, high.StrideW, high.PadLeft, high.PadRight, high.W = 1, 1, 0, 0, 1
	wide.R, wide.StrideH, wide.PadTop, wide.PadBottom, wide.H = 1, 1, 0, 0, 1
	return averages{
		f.N, f.H, f.W, f.C,
		windowTaps(f.P, f.StrideH, f.PadTop, f.R, f.DilH, f.H, func(p int) int { return high.Divisor(p, 0) }),
		windowTaps(f.Q, f.StrideW, f.PadLeft, f.S, f.DilW, f.W, func(q int) int { return wide.Divisor(0, q) }),
	}
}

// pixel returns where the channels of tap (i, j) of an output begin in its image.
func (a averages) pixel(row, col taps, i, j int) int {
	return ((int(row.First)+i*int(row.Step))*a.w + int(col.First) + j*int(col.Step)) * a.c
}

// forward returns the phase that averages x, (n, h, w, c), into y, (n, len(rows), len(cols), c).
func (a averages) forward(x, y []float32) []phase {
	area := max(1, a.h*a.w/(len(a.rows)*len(a.cols)))
	return overRows(a.n*len(a.rows), len(a.cols)*a.c*area, func(lo, hi int) {
		if kernel.Available {
			kernel.MeanForward(x, y, a.h, a.w, a.c, a.rows, a.cols, lo, hi)
			return
		}
		for row := lo; row < hi; row++ {
			n, rt := row/len(a.rows), a.rows[row%len(a.rows)]
			for q, ct := range a.cols {
				out := y[(row*len(a.cols)+q)*a.c:][:a.c]
				clear(out)
				for i := range int(rt.Count) {
					for j := range int(ct.Count) {
						accumulate(out, x[n*a.h*a.w*a.c+a.pixel(rt, ct, i, j):][:a.c])
					}
				}
				scale := 1 / float32(rt.Divisor*ct.Divisor)
				for i := range out {
					out[i] *= scale
				}
			}
		}
	})
}

// backward returns the phase that spreads dy over dx. Windows overlap, so one task does all of an image, in order.
func (a averages) backward(dy, dx []float32, add bool) []phase {
	size := a.h * a.w * a.c
	return []phase{{a.n, func(n, _ int) {
		if kernel.Available {
			kernel.MeanBackward(dy, dx, a.h, a.w, a.c, a.rows, a.cols, n, add)
			return
		}
		image := dx[n*size:][:size]
		if !add {
			clear(image)
		}
		for p, rt := range a.rows {
			for q, ct := range a.cols {
				in := dy[((n*len(a.rows)+p)*len(a.cols)+q)*a.c:][:a.c]
				scale := 1 / float32(rt.Divisor*ct.Divisor)
				for i := range int(rt.Count) {
					for j := range int(ct.Count) {
						out := image[a.pixel(rt, ct, i, j):][:len(in)]
						for c, v := range in {
							out[c] += scale * v
						}
					}
				}
			}
		}
	}}}
}

func bindAvgPoolForward(b *binder, f device.AvgPoolForward) []phase {
	return windowAverages(f).forward(b.mem(f.X, f.In()), b.mem(f.Y, f.Out(f.C)))
}

func bindAvgPoolBackward(b *binder, g device.AvgPoolBackward) []phase {
	f := device.AvgPoolForward{Window: g.Window, PadBottom: g.PadBottom, PadRight: g.PadRight, ExcludePad: g.ExcludePad}
	return windowAverages(f).backward(b.mem(g.DY, g.Out(g.C)), b.mem(g.DX, g.In()), g.Accumulate)
}

func bindAdaptiveForward(b *binder, f device.AdaptiveAvgPoolForward) []phase {
	a := averages{f.N, f.H, f.W, f.C, adaptiveTaps(f.P, f.H), adaptiveTaps(f.Q, f.W)}
	return a.forward(b.mem(f.X, f.N*f.H*f.W*f.C), b.mem(f.Y, f.N*f.P*f.Q*f.C))
}

func bindAdaptiveBackward(b *binder, g device.AdaptiveAvgPoolBackward) []phase {
	a := averages{g.N, g.H, g.W, g.C, adaptiveTaps(g.P, g.H), adaptiveTaps(g.Q, g.W)}
	return a.backward(b.mem(g.DY, g.N*g.P*g.Q*g.C), b.mem(g.DX, g.N*g.H*g.W*g.C), g.Accumulate)
}
