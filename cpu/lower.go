package cpu

import "github.com/cnnctl/cnnctl/device"

// lowering turns a convolution into matrix products (im2col; Chellapilla, Puri and Simard 2006): row i of the lowered image holds
// the window of output pixel i, in the order of a filter's weights, (R, S, C/Groups). It is never built as a whole: each task lowers
// a block of pixels, and of these the columns of one span, into scratch memory.
type lowering struct {
	device.Conv
	cg, kg int // channels of a group: input, output
	depth  int // columns of the lowered image: R·S·cg
	pixels int // rows of it: N·P·Q
}

func lower(v device.Conv) lowering {
	cg := v.C / v.Groups
	return lowering{v, cg, v.K / v.Groups, v.R * v.S * cg, v.N * v.P * v.Q}
}

// pointwise reports whether the lowered image is the image itself.
func (l *lowering) pointwise() bool {
	return l.Groups == 1 && l.R == 1 && l.S == 1 && l.StrideH == 1 && l.StrideW == 1 && l.PadTop == 0 && l.PadLeft == 0 && l.P == l.H && l.Q == l.W
}

// A span is a range of columns of the lowered image: some whole taps, or a part of the channels of one.
type span struct {
	tap, taps int // taps [tap, tap+taps) of the R·S
	c, cn     int // channels [c, c+cn) of the group
	off, n    int // columns [off, off+n)
}

// spans cuts channels [c0, c1) of every tap into spans of at most width columns.
func (l *lowering) spans(c0, c1, width int) []span {
	var list []span
	if c0 == 0 && c1 == l.cg && l.cg <= width {
		step := width / l.cg
		for t := 0; t < l.R*l.S; t += step {
			n := min(step, l.R*l.S-t)
			list = append(list, span{t, n, 0, l.cg, t * l.cg, n * l.cg})
		}
		return list
	}
	for t := range l.R * l.S {
		for c := c0; c < c1; c += width {
			n := min(width, c1-c)
			list = append(list, span{t, 1, c, n, t*l.cg + c, n})
		}
	}
	return list
}

// A pixel is a position of the output.
type pixel struct{ n, p, q int }

func (l *lowering) pixel(i int) pixel { return pixel{i / l.Q / l.P, i / l.Q % l.P, i % l.Q} }

// next moves to the following pixel.
func (l *lowering) next(at *pixel) {
	if at.q++; at.q == l.Q {
		at.q = 0
		if at.p++; at.p == l.P {
			at.p = 0
			at.n++
		}
	}
}

// joined reports whether the taps of one filter row read adjacent memory.
func (l *lowering) joined(s span) bool { return l.DilW == 1 && s.cn == l.C }

// gather writes span s of rows [i0, i1) of group g's lowered image to dst, (i1-i0, s.n).
func (l *lowering) gather(dst, x []float32, g, i0, i1 int, s span) {
	joined := l.joined(s)
	at := l.pixel(i0)
	for range i1 - i0 {
		h0, w0 := at.p*l.StrideH-l.PadTop, at.q*l.StrideW-l.PadLeft
		for tap := s.tap; tap < s.tap+s.taps; {
			r, t := tap/l.S, tap%l.S
			run := min(l.S-t, s.tap+s.taps-tap) // taps of this filter row
			tap += run
			out := dst[:run*s.cn]
			dst = dst[run*s.cn:]
			h := h0 + r*l.DilH
			if h < 0 || h >= l.H {
				clear(out)
				continue
			}
			row := x[(at.n*l.H+h)*l.W*l.C:][:l.W*l.C]
			if joined {
				w := w0 + t
				lo, hi := min(max(0, -w), run), max(min(run, l.W-w), 0)
				if hi <= lo {
					clear(out)
					continue
				}
				clear(out[:lo*l.C])
				copy(out[lo*l.C:hi*l.C], row[(w+lo)*l.C:])
				clear(out[hi*l.C:])
				continue
			}
			for j := range run {
				o := out[j*s.cn:][:s.cn]
				if w := w0 + (t+j)*l.DilW; w < 0 || w >= l.W {
					clear(o)
				} else {
					copy(o, row[w*l.C+g*l.cg+s.c:])
				}
			}
		}
		l.next(&at)
	}
}

// scatter is the adjoint of gather: it adds src to the elements of dx that gather reads.
func (l *lowering) scatter(dx, src []float32, g, i0, i1 int, s span) {
	joined := l.joined(s)
	at := l.pixel(i0)
	for range i1 - i0 {
		h0, w0 := at.p*l.StrideH-l.PadTop, at.q*l.StrideW-l.PadLeft
		for tap := s.tap; tap < s.tap+s.taps; {
			r, t := tap/l.S, tap%l.S
			run := min(l.S-t, s.tap+s.taps-tap)
			tap += run
			in := src[:run*s.cn]
			src = src[run*s.cn:]
			h := h0 + r*l.DilH
			if h < 0 || h >= l.H {
				continue
			}
			row := dx[(at.n*l.H+h)*l.W*l.C:][:l.W*l.C]
			if joined {
				w := w0 + t
				lo, hi := max(0, -w), min(run, l.W-w)
				if lo < hi {
					accumulate(row[(w+lo)*l.C:(w+hi)*l.C], in[lo*l.C:hi*l.C])
				}
				continue
			}
			for j := range run {
				if w := w0 + (t+j)*l.DilW; w >= 0 && w < l.W {
					accumulate(row[w*l.C+g*l.cg+s.c:][:s.cn], in[j*s.cn:])
				}
			}
		}
		l.next(&at)
	}
}

// gatherColumns writes the transpose of rows [i0, i1) of group g's lowered image to dst, (depth, i1-i0).
func (l *lowering) gatherColumns(dst, x []float32, g, i0, i1 int) {
	ld := i1 - i0
	at := l.pixel(i0)
	step := l.StrideW * l.C
	for o := 0; o < ld; {
		run := min(l.Q-at.q, ld-o) // pixels in this output row
		for r := range l.R {
			h := at.p*l.StrideH - l.PadTop + r*l.DilH
			inside := h >= 0 && h < l.H
			var row []float32
			if inside {
				row = x[(at.n*l.H+h)*l.W*l.C:][:l.W*l.C]
			}
			for s := range l.S {
				// Pixels [lo, hi) of the run read inside the image.
				w := at.q*l.StrideW - l.PadLeft + s*l.DilW
				lo, hi := 0, 0
				if inside {
					lo = min(run, max(0, (-w+l.StrideW-1)/l.StrideW))
					hi = max(lo, min(run, (l.W-w+l.StrideW-1)/l.StrideW))
				}
				for c := range l.cg {
					out := dst[((r*l.S+s)*l.cg+c)*ld+o:][:run]
					clear(out[:lo])
					clear(out[hi:])
					if lo == hi {
						continue
					}
					in := row[(w+lo*l.StrideW)*l.C+g*l.cg+c:]
					if step == 1 {
						copy(out[lo:hi], in)
						continue
					}
					k := 0
					for j := lo; j < hi; j++ {
						out[j] = in[k]
						k += step
					}
				}
			}
		}
		o += run
		at.q += run - 1
		l.next(&at)
	}
}
