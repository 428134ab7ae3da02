package ref

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// act returns the value of an activation function.
func act(a device.Act, x float64) float64 {
	switch a {
	case device.ReLU:
		if x < 0 { // not max: a NaN stays one
			return 0
		}
	case device.ReLU6:
		if x < 0 {
			return 0
		}
		if x > 6 {
			return 6
		}
	case device.Tanh:
		return math.Tanh(x)
	case device.Sigmoid:
		return 1 / (1 + math.Exp(-x))
	}
	return x
}

// actSlope returns the derivative at the input whose output is y. At the kinks of ReLU and ReLU6 it is 0, as in PyTorch.
func actSlope(a device.Act, y float64) float64 {
	switch a {
	case device.ReLU:
		if y <= 0 {
			return 0
		}
	case device.ReLU6:
		if y <= 0 || y >= 6 {
			return 0
		}
	case device.Tanh:
		return 1 - y*y
	case device.Sigmoid:
		return y * (1 - y)
	}
	return 1
}

func actForward(b *binder, f device.ActForward) func() {
	x, y := b.in(f.X, f.N, f.Type), b.out(f.Y, f.N, f.Type)
	return func() {
		for i := range y {
			y[i] = act(f.Act, x[i])
		}
	}
}

func actBackward(b *binder, g device.ActBackward) func() {
	y, dy, dx := b.in(g.Y, g.N, g.Type), b.in(g.DY, g.N, g.Type), b.out(g.DX, g.N, g.Type)
	return func() {
		for i := range dx {
			store(&dx[i], dy[i]*actSlope(g.Act, y[i]), g.Accumulate)
		}
	}
}

// epilogue is device.Epilogue with its operands bound.
type epilogue struct {
	bias, residual []float64
	act            device.Act
}

func (b *binder) epilogue(e device.Epilogue, rows, cols int, t device.Type) epilogue {
	return epilogue{b.mem(e.Bias, cols), b.in(e.Residual, rows*cols, t), e.Act}
}

// apply finishes element i of a result, which lies in column col.
func (e epilogue) apply(v float64, i, col int) float64 {
	if e.bias != nil {
		v += e.bias[col]
	}
	if e.residual != nil {
		v += e.residual[i]
	}
	return act(e.act, v)
}

// epilogueGradient is device.EpilogueGradient with its operands bound.
type epilogueGradient struct {
	dy, y, dResidual, g []float64
	act                 device.Act
	add                 bool
}

func (b *binder) epilogueGradient(e device.EpilogueGradient, dy device.Mem, n int, t device.Type) epilogueGradient {
	k := epilogueGradient{dy: b.in(dy, n, t), dResidual: b.out(e.DResidual, n, t), g: make([]float64, n), act: e.Act, add: e.AccumulateResidual}
	if e.Act != device.Identity {
		k.y = b.in(e.Y, n, t)
	}
	return k
}

// apply computes and returns the gradient that the rest of the call sees, and the residual's.
func (e epilogueGradient) apply() []float64 {
	for i, d := range e.dy {
		e.g[i] = d
		if e.y != nil {
			e.g[i] *= actSlope(e.act, e.y[i])
		}
		if e.dResidual != nil {
			store(&e.dResidual[i], e.g[i], e.add)
		}
	}
	return e.g
}
