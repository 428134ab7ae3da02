package graph

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// PadChannels surrounds an image's channels with channels of zeros. After a subsampling it is the shortcut without parameters of residual
// networks: option A of He et al., arXiv:1512.03385, section 3.3.
type PadChannels struct{ Before, After int }

func (p PadChannels) String() string { return fmt.Sprintf("pad channels %d,%d", p.Before, p.After) }

// Infer implements Op.
func (p PadChannels) Infer(in []Shape) (Sig, error) {
	out := in[0]
	if out.Flat {
		return Sig{}, fmt.Errorf("%w: wanted an image, got a vector of %d features", ErrShape, out.Size())
	}
	if p.Before < 0 || p.After < 0 {
		return Sig{}, fmt.Errorf("%w: %d and %d channels, wanted no negative number", ErrShape, p.Before, p.After)
	}
	out.C += p.Before + p.After
	return Sig{Out: out}, nil
}

// Forward implements Op. Zeros are written to the channels in the middle too: one call on contiguous memory, instead of two that
// would leave them out.
func (p PadChannels) Forward(e *Emit, n *Node) {
	e.Do(device.Fill{N: e.Batch() * n.Out.Size(), Type: e.Type(), Y: e.Out(n)})
	in := n.In[0].Out
	e.Do(device.Copy{Rows: e.Batch() * in.H * in.W, Cols: in.C, Type: e.Type(), Src: e.In(n, 0), SrcStride: in.C, Dst: e.channels(e.Out(n), p.Before), DstStride: n.Out.C})
}

// Backward implements Op.
func (p PadChannels) Backward(e *Emit, n *Node) {
	in := n.In[0].Out
	dx, acc := e.GradIn(n, 0)
	e.Do(device.Copy{Rows: e.Batch() * in.H * in.W, Cols: in.C, Type: e.Type(), Src: e.channels(e.Grad(n), p.Before), SrcStride: n.Out.C, Dst: dx, DstStride: in.C,
		Accumulate: acc})
}
