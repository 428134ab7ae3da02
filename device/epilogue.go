package device

import "fmt"

// Act is an elementwise activation function. Every derivative here is a function of the output alone, so that backward needs
// y and not x, and the activation can be computed in place or in the epilogue of the call before it.
type Act uint8

// The activations. ReLU6 is min(max(x, 0), 6) (Howard et al., MobileNets, arXiv:1704.04861).
const (
	Identity Act = iota
	ReLU
	ReLU6
	Tanh
	Sigmoid
)

func (a Act) String() string {
	switch a {
	case Identity:
		return "identity"
	case ReLU:
		return "relu"
	case ReLU6:
		return "relu6"
	case Tanh:
		return "tanh"
	case Sigmoid:
		return "sigmoid"
	}
	return fmt.Sprintf("act(%d)", uint8(a))
}

// Epilogue is what a GEMM or convolution does with each result before it is stored:
// y = act(result + bias[column] + residual[row, column]). Columns are output channels.
type Epilogue struct {
	Bias     Mem // (columns) or absent
	Residual Mem // like the output, of its type, or absent
	Act      Act
}

// check is told the type of the output.
func (e Epilogue) check(c *checker, rows, cols int, t Type) {
	c.optional("Bias", e.Bias, cols, Float32)
	c.optional("Residual", e.Residual, rows*cols, t)
	c.that(e.Act <= Sigmoid, "unknown activation %v", e.Act)
}

func (e Epilogue) cost(rows, cols int, t Type) Cost {
	var k Cost
	n := int64(rows) * int64(cols)
	if !e.Bias.IsZero() {
		k = k.Plus(Cost{n, 4 * int64(cols)})
	}
	if !e.Residual.IsZero() {
		k = k.Plus(Cost{n, t.Size() * n})
	}
	if e.Act != Identity {
		k.FLOPs += n
	}
	return k
}

// EpilogueGradient is what the backward call of a layer does about the Epilogue of its forward call, before anything else. With G = DY·act'(x), expressed
// in the output Y, it computes DResidual (+)= G, and G takes the place of DY in the rest of the call.
type EpilogueGradient struct {
	Act                Act
	Y                  Mem // like DY, of its type; not read if Act is Identity, and may be absent then
	DResidual          Mem // the same, or absent; it may be DY unless AccumulateResidual is set
	AccumulateResidual bool
}

// Residual returns the memory that DResidual must be written to. There is none if it is DY and without an activation, for then it is there.
func (g EpilogueGradient) Residual(dy Mem) Mem {
	if g.Act == Identity && g.DResidual == dy {
		return Mem{}
	}
	return g.DResidual
}

// Rest returns the gradient that a further pass reads in place of dy, once DResidual was computed, and what it still has to do about it: where DResidual is
// G itself, that is nothing.
func (g EpilogueGradient) Rest(dy Mem) (Mem, EpilogueGradient) {
	if g.DResidual.IsZero() || g.AccumulateResidual {
		return dy, EpilogueGradient{Act: g.Act, Y: g.Y}
	}
	return g.DResidual, EpilogueGradient{}
}

// check is told the number of elements of DY and their type.
func (g EpilogueGradient) check(c *checker, n int, t Type) {
	c.that(g.Act <= Sigmoid, "unknown activation %v", g.Act)
	if g.Act == Identity {
		c.optional("Y", g.Y, n, t)
	} else {
		c.elements("Y", g.Y, n, t)
	}
	c.optional("DResidual", g.DResidual, n, t)
}

// cost is told the number of passes over DY as well.
func (g EpilogueGradient) cost(n int64, passes int, t Type, dy Mem) Cost {
	var k Cost
	for ; passes > 0; passes-- {
		if g.Act != Identity {
			k = k.Plus(Cost{n, t.Size() * n})
		}
		if !g.Residual(dy).IsZero() {
			k.Bytes += t.Size() * (n + int64(ifAcc(g.AccumulateResidual, int(n))))
		}
		dy, g = g.Rest(dy)
	}
	return k
}
