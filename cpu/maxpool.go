package cpu

import (
	"math"

	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
)

func bindMaxPoolForward(b *binder, f device.MaxPoolForward) []phase {
	x, y, arg := b.mem(f.X, f.In()), b.mem(f.Y, f.Out(f.C)), b.mem(f.Arg, f.Out(f.C))
	v := f.Window
	if kernel.Available {
		m := windowImage(v, x)
		return overRows(v.N*v.P, v.Q*v.C*v.R*v.S, func(lo, hi int) { m.MaxForward(y, arg, lo, hi) })
	}
	return overRows(v.N*v.P, v.Q*v.C*v.R*v.S, func(lo, hi int) {
		var spare [block]float32 // takes the positions where nobody wants them
		for row := lo; row < hi; row++ {
			n, p := row/v.P, row%v.P
			for q := range v.Q {
				o := (row*v.Q + q) * v.C
				if arg != nil {
					maxWindow(v, x, n, p, q, 0, y[o:o+v.C], arg[o:o+v.C], nil)
					continue
				}
				for c := 0; c < v.C; c += block {
					k := min(block, v.C-c)
					maxWindow(v, x, n, p, q, c, y[o+c:o+c+k], spare[:k], nil)
				}
			}
		}
	})
}

// maxWindow writes the largest elements of window (p, q) of image n to best, for len(best) channels from c, and their positions to arg. What is compared is
// what value makes of the channels of a pixel, unless it is nil.
func maxWindow(v device.Window, x []float32, n, p, q, c int, best, arg []float32, value func([]float32) []float32) {
	arg = arg[:len(best)]
	first := true
	for r := range v.R {
		h := p*v.StrideH - v.PadTop + r*v.DilH
		if h < 0 || h >= v.H {
			continue
		}
		for s := range v.S {
			w := q*v.StrideW - v.PadLeft + s*v.DilW
			if w < 0 || w >= v.W {
				continue
			}
			in := x[((n*v.H+h)*v.W+w)*v.C+c:][:len(best)]
			if value != nil {
				in = value(in)
			}
			pos := float32(r*v.S + s)
			if first {
				first = false
				copy(best, in)
				fill(arg, pos)
				continue
			}
			for i, u := range in {
				// Which element is larger is a coin toss, which a branch would mispredict half of the time.
				m := best[i]
				take := mask(!(u <= m)) & mask(m == m) // a NaN is taken, and none after it
				best[i] = choose(take, u, m)
				arg[i] = choose(take, pos, arg[i])
			}
		}
	}
}

// mask returns all ones for true; the compiler makes it one instruction and a negation.
func mask(b bool) uint32 {
	var k uint32
	if b {
		k = 1
	}
	return -k
}

// choose returns a if mask is all ones, b if it is 0.
func choose(mask uint32, a, b float32) float32 {
	return math.Float32frombits(math.Float32bits(a)&mask | math.Float32bits(b)&^mask)
}

// bindMaxPoolBackward scatters; the windows of an image overlap, so one task does all of them, in order.
func bindMaxPoolBackward(b *binder, g device.MaxPoolBackward) []phase {
	dy, arg, dx := b.mem(g.DY, g.Out(g.C)), b.mem(g.Arg, g.Out(g.C)), b.mem(g.DX, g.In())
	v := g.Window
	if kernel.Available {
		m := windowImage(v, nil)
		return []phase{{v.N, func(n, _ int) { m.MaxBackward(dy, arg, dx, n, g.Accumulate) }}}
	}
	offset := make([]int, v.R*v.S) // of a position, in elements from the window's corner
	for i := range offset {
		offset[i] = (i/v.S*v.DilH*v.W + i%v.S*v.DilW) * v.C
	}
	size := v.H * v.W * v.C
	return []phase{{v.N, func(n, _ int) {
		image := dx[n*size:][:size]
		if !g.Accumulate {
			clear(image)
		}
		for p := range v.P {
			for q := range v.Q {
				corner := ((p*v.StrideH-v.PadTop)*v.W + q*v.StrideW - v.PadLeft) * v.C
				o := ((n*v.P+p)*v.Q + q) * v.C
				d, a := dy[o:o+v.C], arg[o:o+v.C]
				for c, pos := range a {
					// Positions that the forward pass did not write must not take the process down.
					if k := int(pos); uint(k) < uint(len(offset)) {
						if i := corner + offset[k] + c; uint(i) < uint(len(image)) {
							image[i] += d[c]
						}
					}
				}
			}
		}
	}}}
}
