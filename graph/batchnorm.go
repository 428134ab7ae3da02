package graph

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// BatchNorm normalises each channel over the batch and its pixels (Ioffe and Szegedy, arXiv:1502.03167). A batch norm whose scale
// and shift are both frozen uses its running statistics in training too and does not change them.
type BatchNorm struct {
	Eps      float32 // 0 means 1e-5
	Momentum float32 // weight of the new batch in the running statistics; 0 means 0.1
}

func (b BatchNorm) String() string { return "batch norm" }

// Epsilon returns what is added to the variance.
func (b BatchNorm) Epsilon() float32 {
	if b.Eps == 0 {
		return 1e-5
	}
	return b.Eps
}

func (b BatchNorm) momentum() float32 {
	if b.Momentum == 0 {
		return 0.1
	}
	return b.Momentum
}

// The parameters' places in Node.Params, under PyTorch's names.
const (
	bnGamma = iota
	bnBeta
	bnMean
	bnVar
)

// Infer implements Op.
func (b BatchNorm) Infer(in []Shape) (Sig, error) {
	s := in[0]
	c := s.C
	params := []*Param{
		vector("weight", c, Constant(1)), vector("bias", c, Constant(0)),
		vector("running_mean", c, Constant(0)), vector("running_var", c, Constant(1)),
	}
	if s.Flat {
		// After a flatten each feature is a channel of its own, and a checkpoint has them in the order of (C, H, W).
		c = s.Size()
		for _, p := range params {
			p.Dims, p.Perm, p.Export = []int{s.H, s.W, s.C}, []int{2, 0, 1}, []int{c}
		}
	}
	params[bnMean].Stat, params[bnVar].Stat = true, true
	return Sig{Out: s, Params: params, Saved: []Saved{{Fixed: c}, {Fixed: c}}}, nil
}

// Frozen reports whether n, a batch norm, normalises by its running statistics in training too.
func (b BatchNorm) Frozen(n *Node) bool { return n.Params[bnGamma].Frozen && n.Params[bnBeta].Frozen }

func (b BatchNorm) sizes(e *Emit, n *Node) (rows, c int) {
	c = n.Params[bnGamma].Len()
	return e.Batch() * n.Out.Size() / c, c
}

func (BatchNorm) fuses() {}

func (BatchNorm) joins() {}

// Forward implements Op.
func (b BatchNorm) Forward(e *Emit, n *Node) {
	rows, c := b.sizes(e, n)
	x, y := e.In(n, 0), e.Out(n)
	if !e.Training() || b.Frozen(n) {
		e.DoInPlace(device.BatchNormInference{Rows: rows, C: c, Eps: b.Epsilon(), Type: e.Type(), X: x, Y: y, Residual: e.Residual(n), Act: e.Act(n),
			Gamma: e.Param(n, bnGamma), Beta: e.Param(n, bnBeta), RunMean: e.Param(n, bnMean), RunVar: e.Param(n, bnVar)}, y, x)
		return
	}
	if rows < 2 {
		e.err = fmt.Errorf("layer %s (%v): %w: one value per channel has no variance; use a batch size of at least 2 or larger images", n.Name, b, ErrShape)
		return
	}
	if pool := e.Pool(n); pool != nil {
		b.forwardPooled(e, n, pool, x, y)
		return
	}
	f := device.BatchNormForward{Rows: rows, C: c, Eps: b.Epsilon(), Momentum: b.momentum(), Type: e.Type(), X: x, Y: y, Residual: e.Residual(n), Act: e.Act(n),
		Gamma: e.Param(n, bnGamma), Beta: e.Param(n, bnBeta), RunMean: e.Param(n, bnMean), RunVar: e.Param(n, bnVar),
		Mean: e.Saved(n, 0), InvStd: e.Saved(n, 1)}
	if f.Residual.IsZero() {
		e.Do(f)
	} else { // X is read again by the backward pass
		e.DoInPlace(f, f.Y, f.Residual)
	}
}

// Backward implements Op.
func (b BatchNorm) Backward(e *Emit, n *Node) {
	rows, c := b.sizes(e, n)
	if b.Frozen(n) {
		if e.NeedsGradIn(n, 0) {
			k := device.BatchNormFrozenBackward{Rows: rows, C: c, Eps: b.Epsilon(), Type: e.Type(), Gamma: e.Param(n, bnGamma),
				RunMean: e.Param(n, bnMean), RunVar: e.Param(n, bnVar)}
			k.DY, k.EpilogueGradient = e.Upstream(n)
			k.DX, k.Accumulate = e.GradIn(n, 0)
			e.doBackward(k, k.DY, device.Mem{}, k.DX, k.EpilogueGradient)
		}
		return
	}
	if pool := e.Pool(n); pool != nil {
		b.backwardPooled(e, n, pool)
		return
	}
	k := device.BatchNormBackward{Rows: rows, C: c, Type: e.Type(), X: e.In(n, 0), Gamma: e.Param(n, bnGamma), Mean: e.Saved(n, 0), InvStd: e.Saved(n, 1)}
	k.DGamma, k.DBeta = e.normGrads(n)
	k.DY, k.EpilogueGradient = e.Upstream(n)
	if e.NeedsGradIn(n, 0) {
		k.DX, k.Accumulate = e.GradIn(n, 0)
	}
	e.doBackward(k, k.DY, k.X, k.DX, k.EpilogueGradient)
}

// normGrads returns the gradients by the scale and the shift of n, a batch norm. Both are needed on the way to the input's, so that where only one of the two
// is trained the other goes to scratch memory.
func (e *Emit) normGrads(n *Node) (gamma, beta device.Mem) {
	grad := func(i int) device.Mem {
		if e.Trains(n, i) {
			return e.ParamGrad(n, i)
		}
		return e.Scratch(n.Params[i].Len())
	}
	return grad(bnGamma), grad(bnBeta)
}

// doBackward lets the residual's gradient take over the memory of dy, and dx that of x if the call permits it and has an x; without a residual dx takes over
// that of dy.
func (e *Emit) doBackward(k device.Call, dy, x, dx device.Mem, g device.EpilogueGradient) {
	residual := !g.DResidual.IsZero() && !g.AccumulateResidual
	if residual {
		e.mayReplace(g.DResidual, dy)
	}
	switch {
	case dx.IsZero() || dx == g.DResidual:
	case !residual:
		e.mayReplace(dx, dy)
	case !x.IsZero():
		e.mayReplace(dx, x)
	}
	e.Do(k)
}
