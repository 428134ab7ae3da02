//go:build cuda && cgo && linux

package gpu

import (
	"github.com/cnnctl/cnnctl/device"
	"gorgonia.org/cu"
)

func bindBatchNormMaxPoolForward(b *binder, f device.BatchNormMaxPoolForward) {
	b.workspace(f.Workspace)
	window := b.window(f.Window)
	n := b.normalization(device.BatchNormForward{Rows: f.N * f.H * f.W, C: f.C, Eps: f.Eps, Momentum: f.Momentum, Type: f.Type, X: f.X,
		Gamma: f.Gamma, Beta: f.Beta, RunMean: f.RunMean, RunVar: f.RunVar, Mean: f.Mean, InvStd: f.InvStd})
	b.rows("batchnorm", "batch_norm_max_pool_forward", f.Type, f.N*f.P*f.Q, f.C,
		[]cu.DevicePtr{b.mem(f.Y), b.mem(f.Arg), b.mem(f.Largest), b.mem(f.X), n.mean, n.scale, n.shift}, []any{int32(f.Act)}, window...)
}

// bindBatchNormMaxPoolBackward takes the sums over the pooled images, for the gradient is zero where nothing was the largest; the means are those of all
// pixels.
func bindBatchNormMaxPoolBackward(b *binder, g device.BatchNormMaxPoolBackward) {
	b.workspace(g.Workspace)
	window := b.window(g.Window)
	pooled := device.BatchNormBackward{EpilogueGradient: device.EpilogueGradient{Act: g.Act, Y: g.Y}, Rows: g.N * g.P * g.Q, C: g.C, Type: g.Type,
		X: g.Largest, DY: g.DY, Gamma: g.Gamma, Mean: g.Mean, InvStd: g.InvStd, DGamma: g.DGamma, DBeta: g.DBeta, AccumulateParams: g.AccumulateParams}
	pixels := g.N * g.H * g.W
	d := b.normalizationGradient(pooled, pixels)
	if !g.DX.IsZero() {
		b.rows("batchnorm", "batch_norm_max_pool_backward", g.Type, pixels, g.C,
			[]cu.DevicePtr{b.mem(g.DX), b.mem(g.X), b.mem(g.DY), b.mem(g.Y), b.mem(g.Arg), d.mean, d.scale, d.slope, d.shift},
			[]any{int32(g.Act), boolArg(g.Accumulate)}, window...)
	}
}
