//go:build cuda && cgo && linux

package gpu

import (
	"github.com/cnnctl/cnnctl/device"
	"gorgonia.org/cu"
)

// depthwise reports whether every group of a convolution is one channel in and one out, and its filter small enough for depthwise.cu.
func depthwise(v device.Conv) bool {
	return v.Groups > 1 && v.Groups == v.C && v.K == v.C && v.R*v.S <= 65535
}

// depthwiseTaps launches the kernel that brings a filter (C, R, S) to (R·S, C), in the workspace.
func (b *binder) depthwiseTaps(v device.Conv, weight device.Mem) cu.DevicePtr {
	taps := b.scratch(4 * int64(v.FilterLen()))
	b.launch("depthwise", "depthwise_pack"+stored(v.Precision.Type()), b.stride(int64(v.FilterLen()), rowThreads), taps, b.mem(weight), int32(v.R*v.S), b.channels(v.C))
	return taps
}

// depthwiseTile is the number of neighbouring outputs that a thread of depthwise.cu computes.
const depthwiseTile = 4

func bindDepthwiseForward(b *binder, f device.ConvForward) {
	b.workspace(f.Workspace)
	window := b.window(f.Window)
	taps := b.depthwiseTaps(f.Conv, f.Weight)
	tiles := f.N * f.P * int(ceilDiv(int64(f.Q), depthwiseTile))
	b.rows("depthwise", "depthwise_forward", f.Precision.Type(), tiles, f.C,
		[]cu.DevicePtr{b.mem(f.Y), b.mem(f.X), taps, b.mem(f.Bias), b.mem(f.Residual)}, []any{int32(f.Act)}, window...)
}

func bindDepthwiseBackwardData(b *binder, g device.ConvBackwardData) {
	b.workspace(g.Workspace)
	window := b.window(g.Window)
	taps := b.depthwiseTaps(g.Conv, g.Weight)
	b.rows("depthwise", "depthwise_backward_data", g.Precision.Type(), g.N*g.H*g.W, g.C, []cu.DevicePtr{b.mem(g.DX), b.mem(g.DY), taps},
		[]any{boolArg(g.Accumulate)}, window...)
}

// bindDepthwiseBackwardFilter divides the outputs into parts, about 1024 blocks in all, in which each thread has between 8 and 512 outputs. This
// depends on the geometry alone, and so does the order of the sum.
func bindDepthwiseBackwardFilter(b *binder, g device.ConvBackwardFilter) {
	const fewest, perThread, groupOfTaps = 8, 512, 9
	b.workspace(g.Workspace)
	window := b.window(g.Window)
	outputs := int64(g.N) * int64(g.P) * int64(g.Q)
	lanes := min(32, nextPowerOfTwo(int64(g.C)))
	height := rowThreads / lanes
	across, groups := ceilDiv(int64(g.C), lanes), ceilDiv(int64(g.R*g.S), groupOfTaps)
	parts := max(1, min(ceilDiv(1024, across*groups), ceilDiv(outputs, fewest*height)), ceilDiv(outputs, perThread*height))
	perPart := ceilDiv(outputs, parts)
	parts = ceilDiv(outputs, perPart)
	n := int64(g.FilterLen())
	partial := b.scratch(8 * n * parts)
	b.launch("depthwise", "depthwise_backward_filter"+stored(g.Precision.Type()), grid{x: int(across), y: int(parts), z: int(groups)},
		append([]any{partial, b.mem(g.X), b.mem(g.DY), int32(perPart), int32(lanes)}, window...)...)
	b.launch("depthwise", "depthwise_add_parts_f64", grid{x: int(ceilDiv(n, rowThreads/32))},
		b.mem(g.DWeight), partial, n, int32(parts), boolArg(g.Accumulate))
}
