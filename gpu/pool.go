//go:build cuda && cgo && linux

package gpu

import (
	"github.com/cnnctl/cnnctl/device"
	"gorgonia.org/cu"
)

func bindMaxPoolForward(b *binder, f device.MaxPoolForward) {
	window := b.window(f.Window)
	b.rows("pool", "max_pool_forward", f.Type, f.N*f.P*f.Q, f.C, []cu.DevicePtr{b.mem(f.Y), b.mem(f.Arg), b.mem(f.X)}, nil, window...)
}

func bindMaxPoolBackward(b *binder, g device.MaxPoolBackward) {
	window := b.window(g.Window)
	b.rows("pool", "max_pool_backward", g.Type, g.N*g.H*g.W, g.C, []cu.DevicePtr{b.mem(g.DX), b.mem(g.DY), b.mem(g.Arg)},
		[]any{boolArg(g.Accumulate)}, window...)
}

// counted returns the positions that the mean of average pooling counts: rows [low, high), then columns.
func counted(v device.Window, bottom, right int, excludePad bool) []any {
	if excludePad {
		return ints(0, v.H, 0, v.W)
	}
	return ints(-v.PadTop, min(v.H+max(bottom, -v.H), maxIndex), -v.PadLeft, min(v.W+max(right, -v.W), maxIndex))
}

func bindAvgPoolForward(b *binder, f device.AvgPoolForward) {
	window := b.window(f.Window)
	b.rows("pool", "avg_pool_forward", f.Type, f.N*f.P*f.Q, f.C, []cu.DevicePtr{b.mem(f.Y), b.mem(f.X)},
		counted(f.Window, f.PadBottom, f.PadRight, f.ExcludePad), window...)
}

func bindAvgPoolBackward(b *binder, g device.AvgPoolBackward) {
	window := b.window(g.Window)
	b.rows("pool", "avg_pool_backward", g.Type, g.N*g.H*g.W, g.C, []cu.DevicePtr{b.mem(g.DX), b.mem(g.DY)},
		append(counted(g.Window, g.PadBottom, g.PadRight, g.ExcludePad), boolArg(g.Accumulate)), window...)
}

// adaptive returns the sizes of adaptive pooling as the arguments that ADAPTIVE of pool.cu lists. The kernels compute the ends of its
// windows in 32 bits.
func (b *binder) adaptive(n, h, w, c, p, q int) []any {
	b.channels(c)
	b.pixels(n, h, w)
	b.pixels(n, p, q)
	if largest := max((h+1)*(p+1), (w+1)*(q+1)); largest > maxIndex {
		b.geometry("adaptive pooling of %dx%d to %dx%d, wanted products of a size and its result of at most %d", h, w, p, q, maxIndex)
	}
	return ints(n, h, w, c, p, q)
}

func bindAdaptiveForward(b *binder, f device.AdaptiveAvgPoolForward) {
	sizes := b.adaptive(f.N, f.H, f.W, f.C, f.P, f.Q)
	b.rows("pool", "adaptive_avg_pool_forward", f.Type, f.N*f.P*f.Q, f.C, []cu.DevicePtr{b.mem(f.Y), b.mem(f.X)}, nil, sizes...)
}

func bindAdaptiveBackward(b *binder, g device.AdaptiveAvgPoolBackward) {
	sizes := b.adaptive(g.N, g.H, g.W, g.C, g.P, g.Q)
	b.rows("pool", "adaptive_avg_pool_backward", g.Type, g.N*g.H*g.W, g.C, []cu.DevicePtr{b.mem(g.DX), b.mem(g.DY)},
		[]any{boolArg(g.Accumulate)}, sizes...)
}
