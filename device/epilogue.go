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
