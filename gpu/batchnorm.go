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

// A normalization is the function y = scale·(x - mean) + shift of each channel.
type normalization struct{ mean, scale, shift cu.DevicePtr }

// normalization computes the statistics of X, and what normalises by them.
func (b *binder) normalization(f device.BatchNormForward) normalization {
	s := b.columnSums(f.Rows, f.C)
	n := normalization{b.mem(f.Mean), b.vector(f.C), b.vector(f.C)}
	x := b.mem(f.X)
	s.launch(b, "batch_norm_moments"+stored(f.Type), x)
	b.launch("batchnorm", "batch_norm_statistics"+stored(f.Type), s.channelsPerWarp, s.partial, x, b.mem(f.Gamma), b.mem(f.Beta), b.mem(f.RunMean), b.mem(f.RunVar),
		n.mean, b.mem(f.InvStd), n.scale, n.shift, s.rows, s.channels, int32(s.parts), f.Eps, f.Momentum)
	return n
}

func bindBatchNormForward(b *binder, f device.BatchNormForward) {
	b.workspace(f.Workspace)
	n := b.normalization(f)
	b.rows("batchnorm", "batch_norm_apply", f.Type, f.Rows, f.C, []cu.DevicePtr{b.mem(f.Y), b.mem(f.X), b.mem(f.Residual), n.mean, n.scale, n.shift},
		[]any{int32(f.Act)}, int64(f.Rows), b.channels(f.C))
}

func bindBatchNormInference(b *binder, f device.BatchNormInference) {
	c := b.channels(f.C)
	b.rows("batchnorm", "batch_norm_inference", f.Type, f.Rows, f.C,
		[]cu.DevicePtr{b.mem(f.Y), b.mem(f.X), b.mem(f.Residual), b.mem(f.Gamma), b.mem(f.Beta), b.mem(f.RunMean), b.mem(f.RunVar)},
		[]any{f.Eps, int32(f.Act)}, int64(f.Rows), c)
}

// upstream is device.EpilogueGradient as arguments of kernels.
type upstream struct {
	dy, y, residual cu.DevicePtr
	act, accumulate int32
}

func (b *binder) upstream(e device.EpilogueGradient, dy device.Mem) upstream {
	return upstream{b.mem(dy), b.mem(e.Y), b.mem(e.Residual(dy)), int32(e.Act), boolArg(e.AccumulateResidual)}
}

// gradientSums takes the sums of the gradient behind the activation, and computes the residual's.
func (s columnSums) gradientSums(b *binder, t device.Type, x cu.DevicePtr, u upstream, mean cu.DevicePtr) {
	s.launch(b, "batch_norm_gradient_sums"+stored(t), x, u.dy, u.y, mean, u.residual, u.act, u.accumulate)
}

// bindFoldBatchNorm takes the rows of the weight for rows, and their elements for channels.
func bindFoldBatchNorm(b *binder, f device.FoldBatchNorm) {
	length := b.channels(f.Len)
	b.rows("batchnorm", "batch_norm_fold", f.Type, f.C, f.Len, []cu.DevicePtr{b.mem(f.FoldedWeight), b.mem(f.Weight), b.mem(f.Bias), b.mem(f.Gamma), b.mem(f.Beta),
		b.mem(f.RunMean), b.mem(f.RunVar), b.mem(f.FoldedBias)}, []any{f.Eps}, int64(f.C), length)
}

// A normalizationGradient is the function dx = scale·g + slope·(x - mean) + shift of the gradient g behind the activation, for each channel.
type normalizationGradient struct{ mean, scale, slope, shift cu.DevicePtr }

// normalizationGradient computes the parameters' gradients, from sums over the rows of DY, and what the input's takes. The statistics are those of n values
// in each channel.
func (b *binder) normalizationGradient(g device.BatchNormBackward, n int) normalizationGradient {
	s := b.columnSums(g.Rows, g.C)
	d := normalizationGradient{b.mem(g.Mean), b.vector(g.C), b.vector(g.C), b.vector(g.C)}
	s.gradientSums(b, g.Type, b.mem(g.X), b.upstream(g.EpilogueGradient, g.DY), d.mean)
	b.launch("batchnorm", "batch_norm_gradients_f32", s.channelsPerWarp, s.partial, b.mem(g.Gamma), b.mem(g.InvStd), cu.DevicePtr(0),
		b.mem(g.DGamma), b.mem(g.DBeta), d.scale, d.slope, d.shift, int64(n), s.channels, int32(s.parts), float32(0), boolArg(g.AccumulateParams))
	return d
}

func bindBatchNormBackward(b *binder, g device.BatchNormBackward) {
	b.workspace(g.Workspace)
	d := b.normalizationGradient(g, g.Rows)
	if !g.DX.IsZero() {
		dy, rest := g.Rest(g.DY)
		u := b.upstream(rest, dy)
		b.rows("batchnorm", "batch_norm_backward", g.Type, g.Rows, g.C, []cu.DevicePtr{b.mem(g.DX), u.dy, u.y, b.mem(g.X), d.mean, d.scale, d.slope, d.shift},
			[]any{u.act, boolArg(g.Accumulate)}, int64(g.Rows), b.channels(g.C))
	}
}

// bindBatchNormFrozenBackward takes the sums first: DX may be DY.
func bindBatchNormFrozenBackward(b *binder, g device.BatchNormFrozenBackward) {
	b.workspace(g.Workspace)
	none := cu.DevicePtr(0)
	gamma, runVar := b.mem(g.Gamma), b.mem(g.RunVar)
	dy, todo := g.DY, g.EpilogueGradient
	if !g.DGamma.IsZero() || b.sizing {
		s := b.columnSums(g.Rows, g.C)
		s.gradientSums(b, g.Type, b.mem(g.X), b.upstream(todo, dy), b.mem(g.RunMean))
		b.launch("batchnorm", "batch_norm_gradients_f32", s.channelsPerWarp, s.partial, gamma, none, runVar, b.mem(g.DGamma), b.mem(g.DBeta),
			none, none, none, s.rows, s.channels, int32(s.parts), g.Eps, boolArg(g.AccumulateParams))
		dy, todo = g.Rest(dy)
	}
	if !g.DX.IsZero() {
		u := b.upstream(todo, dy)
		b.rows("batchnorm", "batch_norm_frozen_backward", g.Type, g.Rows, g.C, []cu.DevicePtr{b.mem(g.DX), u.dy, u.y, u.residual, gamma, runVar},
			[]any{g.Eps, u.act, u.accumulate, boolArg(g.Accumulate)}, int64(g.Rows), b.channels(g.C))
	}
}
