package graph

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// Concat joins inputs of equal height and width along the channels.
type Concat struct{}

func (Concat) String() string { return "concat" }

// Infer implements Op.
func (Concat) Infer(in []Shape) (Sig, error) {
	out := in[0]
	for _, s := range in[1:] {
		if s.H != out.H || s.W != out.W || s.Flat != out.Flat || s.Flat && s.H*s.W != 1 {
			return Sig{}, fmt.Errorf("%w: wanted inputs of equal height and width, got %v", ErrShape, in)
		}
		out.C += s.C
	}
	return Sig{Out: out}, nil
}

// Forward implements Op.
func (Concat) Forward(e *Emit, n *Node) {
	c := 0
	for i, in := range n.In {
		e.Do(device.Copy{Rows: e.Batch() * n.Out.H * n.Out.W, Cols: in.Out.C, Type: e.Type(),
			Src: e.In(n, i), SrcStride: in.Out.C, Dst: e.channels(e.Out(n), c), DstStride: n.Out.C})
		c += in.Out.C
	}
}

// Backward implements Op.
func (Concat) Backward(e *Emit, n *Node) {
	c := 0
	for i, in := range n.In {
		if e.NeedsGradIn(n, i) {
			dx, acc := e.GradIn(n, i)
			e.Do(device.Copy{Rows: e.Batch() * n.Out.H * n.Out.W, Cols: in.Out.C, Type: e.Type(),
				Src: e.channels(e.Grad(n), c), SrcStride: n.Out.C, Dst: dx, DstStride: in.Out.C, Accumulate: acc})
		}
		c += in.Out.C
	}
}

// channels returns the part of an activation that begins at channel c of the first pixel.
func (e *Emit) channels(m device.Mem, c int) device.Mem {
	skip := e.Type().Size() * int64(c)
	return m.Slice(skip, m.Len-skip)
}
