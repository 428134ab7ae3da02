//go:build cuda && cgo && linux

package gpu

import "github.com/cnnctl/cnnctl/device"

// window returns the geometry as the arguments that WINDOW of window.cuh lists. It fails where the kernels' 32-bit indices do not suffice.
func (b *binder) window(v device.Window) []any {
	b.channels(v.C)
	b.pixels(v.N, v.H, v.W)
	b.pixels(v.N, v.P, v.Q)
	far := max(int64(v.P)*int64(v.StrideH)+int64(v.R)*int64(v.DilH), int64(v.Q)*int64(v.StrideW)+int64(v.S)*int64(v.DilW))
	if far > maxIndex {
		b.geometry("windows end %d pixels behind the first, wanted at most %d", far, maxIndex)
	}
	return ints(v.N, v.H, v.W, v.C, v.P, v.Q, v.R, v.S, v.StrideH, v.StrideW, v.DilH, v.DilW, v.PadTop, v.PadLeft)
}

// pixels fails if there are too many pixels in a batch of n images. Their product is known to fit.
func (b *binder) pixels(n, h, w int) {
	if n*h*w > maxIndex {
		b.geometry("%d images of %dx%d have %d pixels, wanted at most %d: make the batch smaller", n, h, w, n*h*w, maxIndex)
	}
}

// ints returns integers as arguments of type int.
func ints(list ...int) []any {
	args := make([]any, len(list))
	for i, v := range list {
		args[i] = int32(v)
	}
	return args
}
