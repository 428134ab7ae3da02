package graph

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// Linear is a fully connected layer. Its input is an image or a flattened image; the weight is (Out, H, W, C) in memory and
// (Out, C·H·W) in a checkpoint.
type Linear struct {
	Out      int
	NoBias   bool
	Init     Init // of the weight; default UniformFanIn
	BiasInit Init // default: uniform like the weight
}

func (l Linear) String() string { return fmt.Sprintf("fc %d", l.Out) }

// Infer implements Op.
func (l Linear) Infer(in []Shape) (Sig, error) {
	s := in[0]
	if l.Out < 1 {
		return Sig{}, fmt.Errorf("%w: %d outputs, wanted a positive number", ErrShape, l.Out)
	}
	weight := &Param{Name: "weight", Dims: []int{l.Out, s.H, s.W, s.C}, Perm: []int{0, 3, 1, 2}, Export: []int{l.Out, s.Size()},
		Init: l.Init.or(UniformFanIn()), FanIn: s.Size(), FanOut: l.Out, Decay: true}
	sig := Sig{Out: Shape{H: 1, W: 1, C: l.Out, Flat: true}, Params: []*Param{weight}}
	if !l.NoBias {
		bias := vector("bias", l.Out, l.BiasInit.or(UniformFanIn()))
		bias.FanIn, bias.FanOut = weight.FanIn, weight.FanOut
		sig.Params = append(sig.Params, bias)
	}
	return sig, nil
}

func (Linear) fuses() {}

// Forward implements Op.
func (l Linear) Forward(e *Emit, n *Node) {
	g := device.Gemm{M: e.Batch(), N: l.Out, K: n.In[0].Out.Size(), Precision: e.Precision(), CType: e.Type(), TransB: true,
		A: e.In(n, 0), C: e.Out(n)}
	g.B, g.Epilogue = e.Product(n)
	e.Do(g)
}

// Backward implements Op.
func (l Linear) Backward(e *Emit, n *Node) {
	batch, in := e.Batch(), n.In[0].Out.Size()
	if !l.NoBias && e.Trains(n, 1) {
		e.Do(device.BiasGrad{Rows: batch, Cols: l.Out, Type: e.Type(), DY: e.Grad(n), DB: e.ParamGrad(n, 1)})
	}
	if e.Trains(n, 0) {
		e.Do(device.Gemm{M: l.Out, N: in, K: batch, Precision: e.Precision(), TransA: true, A: e.Grad(n), B: e.In(n, 0), C: e.ParamGrad(n, 0)})
	}
	if e.NeedsGradIn(n, 0) {
		dx, acc := e.GradIn(n, 0)
		e.Do(device.Gemm{M: batch, N: in, K: l.Out, Precision: e.Precision(), CType: e.Type(), A: e.Grad(n), B: e.Weight(n, 0), C: dx, Accumulate: acc})
	}
}
