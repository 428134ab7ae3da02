package graph

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// LRN is local response normalisation across channels, y = x/(K + Alpha·sum x²)^Beta over Size neighbours (Krizhevsky, Sutskever and Hinton
// 2012, section 3.3, whose values are 5, 2, 1e-4 and 0.75).
type LRN struct {
	Size           int
	K, Alpha, Beta float32
}

func (l LRN) String() string { return fmt.Sprintf("local response norm %d", l.Size) }

// Infer implements Op.
func (l LRN) Infer(in []Shape) (Sig, error) {
	if l.Size < 1 {
		return Sig{}, fmt.Errorf("%w: a neighbourhood of %d channels, wanted a positive number", ErrShape, l.Size)
	}
	if in[0].Flat {
		return Sig{}, fmt.Errorf("%w: wanted an image, got a vector of %d features", ErrShape, in[0].Size())
	}
	return Sig{Out: in[0], Saved: []Saved{{PerSample: in[0].Size()}}}, nil
}

// Forward implements Op.
func (l LRN) Forward(e *Emit, n *Node) {
	f := device.LRNForward{Rows: e.Batch() * n.Out.H * n.Out.W, C: n.Out.C, Size: l.Size, K: l.K, Alpha: l.Alpha, Beta: l.Beta, Type: e.Type(),
		X: e.In(n, 0), Y: e.Out(n)}
	if e.Training() && e.NeedsGradIn(n, 0) {
		f.Scale = e.Saved(n, 0)
	}
	e.Do(f)
}

// Backward implements Op.
func (l LRN) Backward(e *Emit, n *Node) {
	dx, acc := e.GradIn(n, 0)
	e.Do(device.LRNBackward{Rows: e.Batch() * n.Out.H * n.Out.W, C: n.Out.C, Size: l.Size, Alpha: l.Alpha, Beta: l.Beta, Type: e.Type(),
		X: e.In(n, 0), Y: e.Out(n), Scale: e.Saved(n, 0), DY: e.Grad(n), DX: dx, Accumulate: acc})
}
