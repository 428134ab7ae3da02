package graph

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// AdaptiveAvgPool averages an image of any size down (or up) to P x Q pixels, as PyTorch's layer of that name does. With P = Q = 1 it is
// global average pooling.
type AdaptiveAvgPool struct{ P, Q int }

func (a AdaptiveAvgPool) String() string { return fmt.Sprintf("adaptive avg-pool %dx%d", a.P, a.Q) }

// Infer implements Op.
func (a AdaptiveAvgPool) Infer(in []Shape) (Sig, error) {
	if in[0].Flat {
		return Sig{}, fmt.Errorf("%w: wanted an image, got a vector of %d features", ErrShape, in[0].Size())
	}
	return Sig{Out: Shape{H: a.P, W: a.Q, C: in[0].C}}, nil
}

// Forward implements Op.
func (a AdaptiveAvgPool) Forward(e *Emit, n *Node) {
	s := n.In[0].Out
	e.Do(device.AdaptiveAvgPoolForward{N: e.Batch(), H: s.H, W: s.W, C: s.C, P: a.P, Q: a.Q, Type: e.Type(), X: e.In(n, 0), Y: e.Out(n)})
}

// Backward implements Op.
func (a AdaptiveAvgPool) Backward(e *Emit, n *Node) {
	s := n.In[0].Out
	dx, acc := e.GradIn(n, 0)
	e.Do(device.AdaptiveAvgPoolBackward{N: e.Batch(), H: s.H, W: s.W, C: s.C, P: a.P, Q: a.Q, Type: e.Type(), DY: e.Grad(n), DX: dx, Accumulate: acc})
}
