//go:build cuda && cgo && linux

package gpu

import (
	"github.com/cnnctl/cnnctl/device"
	"gorgonia.org/cu"
)

// columnSums is the geometry of the two sums that batch normalisation takes over the rows of (rows, c).
type columnSums struct {
	rows, perPart   int64
	channels        int32
	width, across   int64
	parts           int64
	partial         cu.DevicePtr // (2, c, parts) float64
	channelsPerWarp grid
}

// columnSums divides the rows into parts, about 1024 blocks in all, each with at least 8 rows for every thread. It depends on the sizes alone,
// and so does the order of the sum.
func (b *binder) columnSums(rows, c int) columnSums {
	s := columnSums{rows: int64(rows), channels: b.channels(c)}
	s.width = min(32, nextPowerOfTwo(int64(c)))
	s.across = ceilDiv(int64(c), s.width)
	s.parts = max(1, min(ceilDiv(1024, s.across), ceilDiv(s.rows, 8*rowThreads/s.width)))
	s.perPart = ceilDiv(s.rows, s.parts)
	s.parts = ceilDiv(s.rows, s.perPart)
	s.partial = b.scratch(2 * 8 * s.parts * int64(c))
	s.channelsPerWarp = grid{x: int(ceilDiv(int64(c), rowThreads/32))}
	return s
}

// launch takes the sums with a kernel that reads the operands.
func (s columnSums) launch(b *binder, name string, operands ...any) {
	args := append([]any{s.partial}, operands...)
	b.launch("batchnorm", name, grid{x: int(s.across), y: int(s.parts)}, append(args, s.rows, s.channels, s.perPart, int32(s.width))...)
}

// vector returns c floats of the workspace.
func (b *binder) vector(c int) cu.DevicePtr { return b.scratch(4 * int64(c)) }

func bindBatchNormForward(b *binder, f device.BatchNormForward) {
	b.workspace(f.Workspace)
	s := b.columnSums(f.Rows, f.C)
	scale, shift := b.vector(f.C), b.vector(f.C)
	x, mean := b.mem(f.X), b.mem(f.Mean)
	s.launch(b, "batch_norm_moments"+stored(f.Type), x)
	b.launch("batchnorm", "batch_norm_statistics"+stored(f.Type), s.channelsPerWarp, s.partial, x, b.mem(f.Gamma), b.mem(f.Beta), b.mem(f.RunMean), b.mem(f.RunVar),
		mean, b.mem(f.InvStd), scale, shift, s.rows, s.channels, int32(s.parts), f.Eps, f.Momentum)
	b.rows("batchnorm", "batch_norm_apply", f.Type, f.Rows, f.C, []cu.DevicePtr{b.mem(f.Y), x, mean, scale, shift}, nil, s.rows, s.channels)
}

func bindBatchNormInference(b *binder, f device.BatchNormInference) {
	c := b.channels(f.C)
	b.rows("batchnorm", "batch_norm_inference", f.Type, f.Rows, f.C,
		[]cu.DevicePtr{b.mem(f.Y), b.mem(f.X), b.mem(f.Gamma), b.mem(f.Beta), b.mem(f.RunMean), b.mem(f.RunVar)},
		[]any{f.Eps}, int64(f.Rows), c)
}

// bindFoldBatchNorm takes the rows of the weight for rows, and their elements for channels.
func bindFoldBatchNorm(b *binder, f device.FoldBatchNorm) {
	length := b.channels(f.Len)
	b.rows("batchnorm", "batch_norm_fold", f.Type, f.C, f.Len, []cu.DevicePtr{b.mem(f.FoldedWeight), b.mem(f.Weight), b.mem(f.Bias), b.mem(f.Gamma), b.mem(f.Beta),
		b.mem(f.RunMean), b.mem(f.RunVar), b.mem(f.FoldedBias)}, []any{f.Eps}, int64(f.C), length)
}

func bindBatchNormBackward(b *binder, g device.BatchNormBackward) {
	b.workspace(g.Workspace)
	s := b.columnSums(g.Rows, g.C)
	scale, slope, shift := b.vector(g.C), b.vector(g.C), b.vector(g.C)
	x, dy, mean := b.mem(g.X), b.mem(g.DY), b.mem(g.Mean)
	s.launch(b, "batch_norm_gradient_sums"+stored(g.Type), x, dy, mean)
	b.launch("batchnorm", "batch_norm_gradients_f32", s.channelsPerWarp, s.partial, b.mem(g.Gamma), b.mem(g.InvStd), cu.DevicePtr(0),
		b.mem(g.DGamma), b.mem(g.DBeta), scale, slope, shift, s.rows, s.channels, int32(s.parts), float32(0), boolArg(g.AccumulateParams))
	if !g.DX.IsZero() {
		b.rows("batchnorm", "batch_norm_backward", g.Type, g.Rows, g.C, []cu.DevicePtr{b.mem(g.DX), dy, x, mean, scale, slope, shift},
			[]any{boolArg(g.Accumulate)}, s.rows, s.channels)
	}
}

// bindBatchNormFrozenBackward takes the sums first: DX may be DY.
func bindBatchNormFrozenBackward(b *binder, g device.BatchNormFrozenBackward) {
	b.workspace(g.Workspace)
	none := cu.DevicePtr(0)
	dy, gamma, runVar := b.mem(g.DY), b.mem(g.Gamma), b.mem(g.RunVar)
	if !g.DGamma.IsZero() || b.sizing {
		s := b.columnSums(g.Rows, g.C)
		s.launch(b, "batch_norm_gradient_sums"+stored(g.Type), b.mem(g.X), dy, b.mem(g.RunMean))
		b.launch("batchnorm", "batch_norm_gradients_f32", s.channelsPerWarp, s.partial, gamma, none, runVar, b.mem(g.DGamma), b.mem(g.DBeta),
			none, none, none, s.rows, s.channels, int32(s.parts), g.Eps, boolArg(g.AccumulateParams))
	}
	if !g.DX.IsZero() {
		b.rows("batchnorm", "batch_norm_frozen_backward", g.Type, g.Rows, g.C, []cu.DevicePtr{b.mem(g.DX), dy, gamma, runVar},
			[]any{g.Eps, boolArg(g.Accumulate)}, int64(g.Rows), b.channels(g.C))
	}
}
