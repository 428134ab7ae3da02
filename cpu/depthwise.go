package cpu

import "github.com/cnnctl/cnnctl/cpu/kernel"

// A depthwise convolution multiplies every channel by a filter of its own: there is no matrix product in it, and R·S multiply-adds an
// element do not pay for lowering. The loops run over channels innermost, where image and gradient are contiguous; the filter is
// brought to the same layout, (R, S, C), first.

// depthwise reports whether every group is one channel in and one out.
func (l *lowering) depthwise() bool { return l.Groups == l.C && l.K == l.C }

// tapsInside calls f for every window position of output row p of image n that lies in the image: with the tap's number and the
// elements where the pixel's channels begin in the input and in the output.
func (l *lowering) tapsInside(n, p int, f func(tap, x, y int)) {
	for q := range l.Q {
		y := ((n*l.P+p)*l.Q + q) * l.C
		for r := range l.R {
			h := p*l.StrideH - l.PadTop + r*l.DilH
			if h < 0 || h >= l.H {
				continue
			}
			for s := range l.S {
				if w := q*l.StrideW - l.PadLeft + s*l.DilW; w >= 0 && w < l.W {
					f(r*l.S+s, ((n*l.H+h)*l.W+w)*l.C, y)
				}
			}
		}
	}
}

// packTaps returns the filter as (R·S, C), and the phase that fills it.
func packTaps(b *binder, l lowering, w []float32) ([]float32, phase) {
	packed := b.scratch(l.FilterLen())
	return packed, phase{1, func(_, _ int) { transpose(packed, l.C, w, l.R*l.S, l.C, l.R*l.S) }}
}

// multiplyAdd computes y += a·b, elementwise.
func multiplyAdd(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] += a[i] * b[i]
	}
}

func depthwiseForward(b *binder, l lowering, x, w, y []float32, e epilogue) []phase {
	taps, pack := packTaps(b, l, w)
	rows := every(l.N*l.P, max(1, grain/(l.Q*l.C*l.R*l.S)))
	if kernel.Available {
		m, k := windowImage(l.Window, x), e.fused(0)
		return []phase{pack, {rows.count, func(task, _ int) {
			lo, hi := rows.at(task)
			m.DepthwiseForward(taps, y, &k, lo, hi)
		}}}
	}
	return []phase{pack, {rows.count, func(task, _ int) {
		lo, hi := rows.at(task)
		clear(y[lo*l.Q*l.C : hi*l.Q*l.C])
		for row := lo; row < hi; row++ {
			l.tapsInside(row/l.P, row%l.P, func(tap, xi, yi int) {
				multiplyAdd(y[yi:yi+l.C], x[xi:xi+l.C], taps[tap*l.C:])
			})
		}
		e.apply(y, lo*l.Q, hi*l.Q, 0, l.C)
	}}}
}

// Windows overlap in dx, so one task does all windows of an image, in order.
func depthwiseBackwardData(b *binder, l lowering, dy, w, dx []float32, add bool) []phase {
	taps, pack := packTaps(b, l, w)
	if kernel.Available {
		m := windowImage(l.Window, nil)
		return append([]phase{pack}, overRows(l.N*l.H, l.W*l.C*l.R*l.S, func(lo, hi int) {
			m.DepthwiseData(taps, dy, dx, lo, hi, add)
		})...)
	}
	return []phase{pack, {l.N, func(n, _ int) {
		if !add {
			l.clear(dx, n, n+1, 0, l.C)
		}
		for p := range l.P {
			l.tapsInside(n, p, func(tap, xi, yi int) {
				multiplyAdd(dx[xi:xi+l.C], dy[yi:yi+l.C], taps[tap*l.C:])
			})
		}
	}}}
}

func depthwiseBackwardFilter(b *binder, l lowering, x, dy, dw []float32, add bool) []phase {
	size := l.FilterLen()
	parts := split(l.N*l.P, wanted/2, max(1, grain/(l.Q*l.C*l.R*l.S)))
	partial := b.scratch(parts.count * size) // each (R·S, C)
	m := windowImage(l.Window, x)
	return []phase{
		{parts.count, func(part, _ int) {
			sum := partial[part*size:][:size]
			lo, hi := parts.at(part)
			if kernel.Available {
				m.DepthwiseFilter(dy, sum, lo, hi)
				return
			}
			clear(sum)
			for row := lo; row < hi; row++ {
				l.tapsInside(row/l.P, row%l.P, func(tap, xi, yi int) {
					multiplyAdd(sum[tap*l.C:(tap+1)*l.C], x[xi:xi+l.C], dy[yi:yi+l.C])
				})
			}
		}},
		{1, func(_, _ int) {
			sum := partial[:size]
			sumPartials(sum, partial, size, 0, size, parts.count, false)
			if !add {
				transpose(dw, l.R*l.S, sum, l.C, l.R*l.S, l.C)
				return
			}
			for tap := range l.R * l.S {
				for c := range l.C {
					dw[c*l.R*l.S+tap] += sum[tap*l.C+c]
				}
			}
		}},
	}
}
