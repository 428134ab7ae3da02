package graph

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// Add sums two inputs of equal shape, as a residual connection does.
type Add struct{}

func (Add) String() string { return "add" }

func (Add) fuses() {}

// Infer implements Op.
func (Add) Infer(in []Shape) (Sig, error) {
	if len(in) != 2 || in[0] != in[1] {
		return Sig{}, fmt.Errorf("%w: wanted two inputs of equal shape, got %v", ErrShape, in)
	}
	return Sig{Out: in[0]}, nil
}

// Forward implements Op.
func (Add) Forward(e *Emit, n *Node) {
	a, b, y := e.In(n, 0), e.In(n, 1), e.Out(n)
	e.DoInPlace(device.Add{N: e.Batch() * n.Out.Size(), Type: e.Type(), A: a, B: b, Y: y, Act: e.Act(n)}, y, a)
}

// Backward implements Op: the gradient goes to both inputs. The last of them that has none yet takes over its memory.
func (Add) Backward(e *Emit, n *Node) {
	for i := range 2 {
		if !e.NeedsGradIn(n, i) {
			continue
		}
		size := e.Batch() * n.Out.Size()
		dx, acc := e.GradIn(n, i)
		dy := e.Grad(n)
		e.DoInPlace(device.Copy{Rows: 1, Cols: size, Type: e.Type(), Src: dy, Dst: dx, SrcStride: size, DstStride: size, Accumulate: acc}, dx, dy)
	}
}
