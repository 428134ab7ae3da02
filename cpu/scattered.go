package cpu

import (
	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
)

// The gradient of a convolution by its input is a convolution of the output's gradient with the rotated filter where the stride is one.
// With a larger stride, input pixels fall into classes by their position modulo the stride: each is reached by some of the taps alone,
// and within a class these taps read neighbouring output pixels. So the gradient is one small convolution for each class, without
// a multiplication by zero (compare "sub-pixel" or "phase" decomposition of transposed convolutions, arXiv:1609.05158).

// A class is the pixels of one axis that are first, first+stride, ..., with the taps that reach them.
type class struct {
	first, count int // pixels
	tap, step    int // the taps are tap, tap-step, ...: in the order of the output pixels that they read
	taps         int
	from, dil    int // pixel i reads output pixels i+from, i+from+dil, ...
}

// classes lists the classes of an axis of n pixels.
func classes(n, stride, pad, size, dil int) []class {
	var list []class
	for first := range min(n, stride) {
		c := class{first: first, count: (n - first + stride - 1) / stride}
		lowest := -1
		for t := range size {
			if (first+pad-t*dil)%stride != 0 {
				continue
			}
			if lowest < 0 {
				lowest = t
			} else if c.step == 0 {
				c.step = t - lowest
			}
			c.tap = t
			c.taps++
		}
		c.from = (first + pad - c.tap*dil) / stride
		c.dil = max(1, c.step*dil/stride)
		list = append(list, c)
	}
	return list
}

// gatherBackward returns the products that make up the gradient of the input, and the classes of pixels that no tap reaches.
func gatherBackward(v device.Conv, dy, w, dx []float32, add bool) (list []*kernel.Gather, untouched []func(n int)) {
	cg, kg := v.C/v.Groups, v.K/v.Groups
	depth := v.R * v.S * cg
	for _, h := range classes(v.H, v.StrideH, v.PadTop, v.R, v.DilH) {
		for _, c := range classes(v.W, v.StrideW, v.PadLeft, v.S, v.DilW) {
			if h.taps == 0 || c.taps == 0 {
				if !add {
					untouched = append(untouched, func(n int) { clearClass(v, dx, n, h, c) })
				}
				continue
			}
			for i := range v.Groups {
				g := &kernel.Gather{
					A: kernel.Image{X: at(dy, i*kg), H: int64(v.P), W: int64(v.Q), Stride: int64(v.K),
						N: int64(v.N), P: int64(h.count), Q: int64(c.count), StepH: 1, StepW: 1,
						FirstH: int64(h.from), FirstW: int64(c.from), DilH: int64(h.dil), DilW: int64(c.dil),
						Rows: int64(h.taps), Cols: int64(c.taps), Chan: int64(kg)},
					B: kernel.Factor{W: at(w, i*kg*depth+(h.tap*v.S+c.tap)*cg), Rows: int64(h.taps), Cols: int64(c.taps), Chan: int64(kg),
						StepT: int64(-h.step * v.S * cg), StepU: int64(-c.step * cg), StepJ: int64(depth), StepCol: 1, N: int64(cg)},
					Y: at(dx, i*cg), OutH: int64(v.H), OutW: int64(v.W), OutStride: int64(v.C),
					OutStepH: int64(v.StrideH), OutStepW: int64(v.StrideW), OutFirstH: int64(h.first), OutFirstW: int64(c.first),
				}
				if add {
					g.Accumulate = 1
				}
				list = append(list, g)
			}
		}
	}
	return list, untouched
}

// clearClass zeroes a class of pixels of image n.
func clearClass(v device.Conv, dx []float32, n int, h, w class) {
	for i := range h.count {
		for j := range w.count {
			o := ((n*v.H+h.first+i*v.StrideH)*v.W + w.first + j*v.StrideW) * v.C
			clear(dx[o : o+v.C])
		}
	}
}

// scattered returns the phases of the gradient of a convolution by its input.
func scattered(b *binder, v device.Conv, dy, w, dx []float32, add bool) []phase {
	list, untouched := gatherBackward(v, dy, w, dx, add)
	var phases []phase
	if len(list) > 0 {
		phases = gathers(b, list...)
	}
	if len(untouched) > 0 {
		phases = append(phases, phase{v.N, func(n, _ int) {
			for _, f := range untouched {
				f(n)
			}
		}})
	}
	return phases
}
