package cpu

import (
	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
)

// A convolution with a stride of s is one with a stride of 1 over an image of fewer, deeper pixels, each made of s x s of the first (space to depth), whose
// filters have ⌈R/s⌉ x ⌈S/s⌉ taps. So minimal filtering serves the first layers of ResNet, 7x7 filters at stride 2 that become 4x4, and of AlexNet, 11x11
// at stride 4 that become 3x3. Along its edges such a filter has taps that the first one has not, which are zero.

// deepen returns the convolution that v is after space to depth, and the m of minimal filtering that computes it, or 0 if it is to be computed by other
// means.
func (d *Device) deepen(v device.Conv) (device.Conv, int) {
	s := v.StrideH
	deep := v
	deep.StrideH, deep.StrideW, deep.PadTop, deep.PadLeft = 1, 1, 0, 0
	deep.C, deep.R, deep.S = v.C*s*s, (v.R+s-1)/s, (v.S+s-1)/s
	deep.H, deep.W = v.P+deep.R-1, v.Q+deep.S-1
	if !kernel.Available || s == 1 || v.StrideW != s || v.DilH != 1 || v.DilW != 1 || v.Groups != 1 || deep.R != deep.S || deep.R != 3 && deep.R != 4 {
		return v, 0
	}
	m := d.side(v.K >= enoughChannels && tiles(4, v.N, v.P, v.Q) >= enoughTiles)
	if m > 0 && deep.R == 4 {
		m = kernel.Four
	}
	return deep, m
}

// deepImage gives out the memory of an image of deeper pixels, and returns it with the phase that fills it.
func deepImage(b *binder, v, deep device.Conv, x []float32) ([]float32, phase) {
	m, y := windowImage(v.Window, x), b.scratch(deep.In())
	rows := split(deep.N*deep.H, wanted, max(1, grain/(deep.W*deep.C)))
	return y, phase{rows.count, func(task, _ int) {
		lo, hi := rows.at(task)
		m.SpaceToDepth(lo, hi, y)
	}}
}

// deepTaps calls f for the runs of adjacent taps that filter k of v and its deeper form have in common: n elements from i on of the one, and from j on of
// the other.
func deepTaps(v, deep device.Conv, k int, f func(i, j, n int)) {
	s := v.StrideH
	for r := range v.R {
		for t := 0; t < v.S; t += s {
			j := (((k*deep.R+r/s)*deep.S+t/s)*s + r%s) * s * v.C
			f(((k*v.R+r)*v.S+t)*v.C, j, min(s, v.S-t)*v.C)
		}
	}
}

func deepForward(b *binder, m int, v, deep device.Conv, x, w, y []float32, e epilogue) []phase {
	image, first := deepImage(b, v, deep, x)
	filters := b.scratch(deep.FilterLen())
	size := deep.FilterLen() / v.K
	phases := append([]phase{first}, overRows(v.K, size, func(lo, hi int) {
		clear(filters[lo*size : hi*size])
		for k := lo; k < hi; k++ {
			deepTaps(v, deep, k, func(i, j, n int) { copy(filters[j:j+n], w[i:i+n]) })
		}
	})...)
	return append(phases, winograd(b, m, gatherForward(deep, image, filters, y, e)...)...)
}

func deepFilter(b *binder, m int, v, deep device.Conv, x, dy, dw []float32, add bool) []phase {
	image, first := deepImage(b, v, deep, x)
	gradient := b.scratch(deep.FilterLen())
	phases := append([]phase{first}, winogradFilter(b, m, deep, image, dy, gradient, false)...)
	return append(phases, overRows(v.K, deep.FilterLen()/v.K, func(lo, hi int) {
		for k := lo; k < hi; k++ {
			deepTaps(v, deep, k, func(i, j, n int) {
				if add {
					accumulate(dw[i:i+n], gradient[j:j+n])
				} else {
					copy(dw[i:i+n], gradient[j:j+n])
				}
			})
		}
	})...)
}
