package graph

import "github.com/cnnctl/cnnctl/device"

// forwardPooled is Forward for a batch norm whose output is max-pooled in the same call, from x to y.
func (b BatchNorm) forwardPooled(e *Emit, n, pool *Node, x, y device.Mem) {
	e.Do(device.BatchNormMaxPoolForward{Window: pool.Op.(MaxPool).geometry(e, pool), Eps: b.Epsilon(), Momentum: b.momentum(), Type: e.Type(), Act: e.Act(n),
		X: x, Y: y, Arg: e.Saved(pool, poolArg), Largest: e.Saved(pool, poolLargest),
		Gamma: e.Param(n, bnGamma), Beta: e.Param(n, bnBeta), RunMean: e.Param(n, bnMean), RunVar: e.Param(n, bnVar),
		Mean: e.Saved(n, 0), InvStd: e.Saved(n, 1)})
}

// backwardPooled is Backward for such a batch norm. Its input has no later use, unless another layer reads that too.
func (b BatchNorm) backwardPooled(e *Emit, n, pool *Node) {
	k := device.BatchNormMaxPoolBackward{Window: pool.Op.(MaxPool).geometry(e, pool), Type: e.Type(), Act: e.Act(n), X: e.In(n, 0),
		Arg: e.Saved(pool, poolArg), Largest: e.Saved(pool, poolLargest), DY: e.Grad(n),
		Gamma: e.Param(n, bnGamma), Mean: e.Saved(n, 0), InvStd: e.Saved(n, 1)}
	if k.Act != device.Identity {
		k.Y = e.Out(n)
	}
	k.DGamma, k.DBeta = e.normGrads(n)
	if !e.NeedsGradIn(n, 0) {
		e.Do(k)
		return
	}
	k.DX, k.Accumulate = e.GradIn(n, 0)
	if k.Accumulate {
		e.Do(k)
	} else {
		e.DoInPlace(k, k.DX, k.X)
	}
}
