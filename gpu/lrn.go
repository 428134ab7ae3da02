//go:build cuda && cgo && linux

package gpu

import (
	"github.com/cnnctl/cnnctl/device"
	"gorgonia.org/cu"
)

// lrnWindow returns how many channels before c, and from c on, a window of that size reads. In the forward pass this is the window of c, in
// the backward pass the channels whose windows hold c. Sizes beyond the channels change nothing.
func lrnWindow(size, c int, forward bool) (before, after int32) {
	first, last := size/2, size-size/2
	if !forward {
		first, last = size-size/2-1, size/2+1
	}
	return int32(min(first, c)), int32(min(last, c))
}

func bindLRNForward(b *binder, f device.LRNForward) {
	before, after := lrnWindow(f.Size, f.C, true)
	c := b.channels(f.C)
	b.launchRows("lrn", "lrn_forward"+stored(f.Type), f.Rows, f.C, []cu.DevicePtr{b.mem(f.Y), b.mem(f.Scale), b.mem(f.X)}, nil,
		int64(f.Rows), c, before, after, f.K, f.Alpha, f.Beta)
}

func bindLRNBackward(b *binder, g device.LRNBackward) {
	before, after := lrnWindow(g.Size, g.C, false)
	c := b.channels(g.C)
	b.launchRows("lrn", "lrn_backward"+stored(g.Type), g.Rows, g.C,
		[]cu.DevicePtr{b.mem(g.DX), b.mem(g.X), b.mem(g.Y), b.mem(g.Scale), b.mem(g.DY)}, []any{boolArg(g.Accumulate)},
		int64(g.Rows), c, before, after, 2*g.Alpha*g.Beta, g.Beta)
}
