package graph

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// Dropout zeroes each value with probability P in training and scales the others by 1/(1-P); in evaluation it does nothing
// (Srivastava et al. 2014). The mask is drawn again in the backward pass instead of being stored.
type Dropout struct{ P float32 }

func (d Dropout) String() string { return fmt.Sprintf("dropout %g", d.P) }

// Infer implements Op.
func (d Dropout) Infer(in []Shape) (Sig, error) {
	if !(d.P >= 0 && d.P < 1) {
		return Sig{}, fmt.Errorf("probability %v, wanted one in [0, 1)", d.P)
	}
	return Sig{Out: in[0]}, nil
}

func (d Dropout) view(training bool) bool { return !training || d.P == 0 }

func (d Dropout) call(e *Emit, n *Node) device.Dropout {
	return device.Dropout{N: e.Batch() * n.Out.Size(), Type: e.Type(), P: d.P, Seed: e.Seed(), Layer: uint32(n.layer), Hyper: e.Hyper()}
}

// Forward implements Op.
func (d Dropout) Forward(e *Emit, n *Node) {
	c := d.call(e, n)
	c.X, c.Y = e.In(n, 0), e.Out(n)
	e.DoInPlace(c, c.Y, c.X)
}

// Backward implements Op.
func (d Dropout) Backward(e *Emit, n *Node) {
	c := d.call(e, n)
	c.X = e.Grad(n)
	c.Y, c.Accumulate = e.GradIn(n, 0)
	e.DoInPlace(c, c.Y, c.X)
}

func (d Dropout) draws() bool { return d.P > 0 }
