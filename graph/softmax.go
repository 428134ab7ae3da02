package graph

import "github.com/cnnctl/cnnctl/device"

// Softmax turns a vector of scores into probabilities. A classifier does not need it: the loss works on the scores themselves, which is
// more accurate.
type Softmax struct{}

func (Softmax) String() string { return "softmax" }

// Infer implements Op.
func (Softmax) Infer(in []Shape) (Sig, error) { return Sig{Out: in[0]}, nil }

func (Softmax) rows(e *Emit, n *Node) (rows, classes int) {
	classes = n.Out.C
	if n.Out.Flat {
		classes = n.Out.Size()
	}
	return e.Batch() * n.Out.Size() / classes, classes
}

// Forward implements Op. On an image each pixel is a vector.
func (s Softmax) Forward(e *Emit, n *Node) {
	rows, classes := s.rows(e, n)
	x, y := e.In(n, 0), e.Out(n)
	e.DoInPlace(device.Softmax{Rows: rows, Classes: classes, Type: e.Type(), X: x, Y: y}, y, x)
}

// Backward implements Op.
func (s Softmax) Backward(e *Emit, n *Node) {
	rows, classes := s.rows(e, n)
	dx, acc := e.GradIn(n, 0)
	e.Do(device.SoftmaxBackward{Rows: rows, Classes: classes, Type: e.Type(), Y: e.Out(n), DY: e.Grad(n), DX: dx, Accumulate: acc})
}
