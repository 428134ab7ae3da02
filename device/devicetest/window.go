package devicetest

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// A shape describes a window the way users do: with padding on four sides and a rounding mode instead of an output size.
type shape struct {
	n, h, w, c               int
	r, s                     int
	sh, sw                   int // 0 means 1
	dh, dw                   int // 0 means 1
	top, left, bottom, right int
	ceil                     bool
}

// window computes the output size: floor((n + before + after - dil·(f-1) - 1)/stride) + 1, or with ceil.
func (v shape) window() device.Window {
	w := device.Window{N: v.n, H: v.h, W: v.w, C: v.c, R: v.r, S: v.s, StrideH: max(1, v.sh), StrideW: max(1, v.sw),
		DilH: max(1, v.dh), DilW: max(1, v.dw), PadTop: v.top, PadLeft: v.left}
	out := func(n, before, after, f, dil, stride int) int {
		free := n + before + after - dil*(f-1) - 1
		if v.ceil {
			free += stride - 1
		}
		p := free/stride + 1
		if v.ceil && (p-1)*stride >= n+before { // the last window must begin inside the image or before it, as in PyTorch
			p--
		}
		return p
	}
	w.P = out(v.h, v.top, v.bottom, v.r, w.DilH, w.StrideH)
	w.Q = out(v.w, v.left, v.right, v.s, w.DilW, w.StrideW)
	return w
}

// String names a shape, leaving out what has its usual value.
func (v shape) String() string {
	s := fmt.Sprintf("%dx%dx%dx%d,f=%dx%d", v.n, v.h, v.w, v.c, v.r, v.s)
	if v.sh > 1 || v.sw > 1 {
		s += fmt.Sprintf(",s=%dx%d", max(1, v.sh), max(1, v.sw))
	}
	if v.dh > 1 || v.dw > 1 {
		s += fmt.Sprintf(",d=%dx%d", max(1, v.dh), max(1, v.dw))
	}
	if v.top+v.left+v.bottom+v.right > 0 {
		s += fmt.Sprintf(",p=%d.%d.%d.%d", v.top, v.left, v.bottom, v.right)
	}
	if v.ceil {
		s += ",ceil"
	}
	return s
}
