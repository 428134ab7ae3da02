package graph

import "github.com/cnnctl/cnnctl/device"

// Activation applies an elementwise function: ReLU, ReLU6, tanh or sigmoid.
type Activation struct{ Kind device.Act }

// ReLU is max(x, 0).
func ReLU() Activation { return Activation{device.ReLU} }

// Tanh is the hyperbolic tangent.
func Tanh() Activation { return Activation{device.Tanh} }

// Sigmoid is 1/(1 + exp(-x)).
func Sigmoid() Activation { return Activation{device.Sigmoid} }

// ReLU6 is min(max(x, 0), 6).
func ReLU6() Activation { return Activation{device.ReLU6} }

func (a Activation) String() string { return a.Kind.String() }

// Infer implements Op.
func (a Activation) Infer(in []Shape) (Sig, error) { return Sig{Out: in[0]}, nil }

// Forward implements Op.
func (a Activation) Forward(e *Emit, n *Node) {
	x, y := e.In(n, 0), e.Out(n)
	e.DoInPlace(device.ActForward{N: e.Batch() * n.Out.Size(), Type: e.Type(), Act: a.Kind, X: x, Y: y}, y, x)
}

// Backward implements Op.
func (a Activation) Backward(e *Emit, n *Node) {
	if e.root[n.index] != n.index {
		// Fused: output and gradient share the memory of the layer before.
		dy := e.Grad(n)
		e.Do(device.ActBackward{N: e.Batch() * n.Out.Size(), Type: e.Type(), Act: a.Kind, Y: e.Out(n), DY: dy, DX: dy})
		return
	}
	dx, acc := e.GradIn(n, 0)
	dy := e.Grad(n)
	e.DoInPlace(device.ActBackward{N: e.Batch() * n.Out.Size(), Type: e.Type(), Act: a.Kind, Y: e.Out(n), DY: dy, DX: dx, Accumulate: acc}, dx, dy)
}
