package device

// Softmax computes Y[r, :] = exp(X[r, :] - max) / sum. Y may be X.
type Softmax struct {
	Rows, Classes int
	Type          Type
	X, Y          Mem // (Rows, Classes)
}

// Cost implements Call.
func (s Softmax) Cost() Cost {
	n := int64(s.Rows) * int64(s.Classes)
	return Cost{4 * n, 2 * s.Type.Size() * n}
}

// Check implements Call.
func (s Softmax) Check() error {
	c := checker{call: "softmax"}
	c.that(s.Rows > 0 && s.Classes > 0, "%d rows of %d classes, wanted positive numbers", s.Rows, s.Classes)
	c.size(s.Rows, s.Classes)
	c.typ(s.Type)
	c.elements("X", s.X, s.Rows*s.Classes, s.Type)
	c.elements("Y", s.Y, s.Rows*s.Classes, s.Type)
	return c.err
}

func (s Softmax) storage() Type { return s.Type }

// SoftmaxBackward computes DX (+)= Y·(DY - sum(DY·Y)) for each row.
type SoftmaxBackward struct {
	Rows, Classes int
	Type          Type
	Y, DY, DX     Mem // (Rows, Classes)
	Accumulate    bool
}

// Cost implements Call.
func (s SoftmaxBackward) Cost() Cost {
	n := int64(s.Rows) * int64(s.Classes)
	return Cost{4 * n, s.Type.Size() * (3*n + int64(ifAcc(s.Accumulate, s.Rows*s.Classes)))}
}

// Check implements Call.
func (s SoftmaxBackward) Check() error {
	c := checker{call: "softmax backward"}
	c.that(s.Rows > 0 && s.Classes > 0, "%d rows of %d classes, wanted positive numbers", s.Rows, s.Classes)
	c.size(s.Rows, s.Classes)
	c.typ(s.Type)
	c.elements("Y", s.Y, s.Rows*s.Classes, s.Type)
	c.elements("DY", s.DY, s.Rows*s.Classes, s.Type)
	c.elements("DX", s.DX, s.Rows*s.Classes, s.Type)
	return c.err
}

func (s SoftmaxBackward) storage() Type { return s.Type }

// SoftmaxCrossEntropy computes the loss, its gradient and the counters of a batch in one pass.
//
// A row of Targets is a distribution over the classes: one-hot, or mixed by MixUp. A row of zeros does not count: this is how a
// partial batch is padded. With t' = (1-Smoothing)·t + Smoothing/Classes (Szegedy et al., arXiv:1512.00567) and
// p = softmax(Logits), the loss is the mean over the counted rows of -sum t'·log p, and DLogits = (p - t')/rows.
type SoftmaxCrossEntropy struct {
	Rows, Classes int
	Type          Type    // of Logits and DLogits
	Smoothing     float32 // in [0, 1)
	Logits        Mem     // (Rows, Classes)
	Targets       Mem     // (Rows, Classes)
	DLogits       Mem     // (Rows, Classes), or absent; may be Logits
	Stats         Mem     // (StatsWords), see Stats
	Workspace     Mem
}

// StatsWords is the number of float32 words of the Stats operand.
const StatsWords = 4

// Stats is what comes back to the host from a step: float32 words in this order. The target class of a row is the largest
// element of its Targets, the first of equal ones. A logit that is NaN ranks above everything, so that a network that has
// diverged is not right by accident.
type Stats struct {
	Loss float32 // mean over the counted rows; 0 if there are none
	Top1 float32 // rows whose target class has the largest logit (of equal ones the first)
	Top5 float32 // rows whose target class is among the five largest
	Rows float32 // counted rows
}

// Cost implements Call.
func (s SoftmaxCrossEntropy) Cost() Cost {
	n := int64(s.Rows) * int64(s.Classes)
	b := (s.Type.Size() + 4) * n
	if !s.DLogits.IsZero() {
		b += s.Type.Size() * n
	}
	return Cost{8 * n, b + 4*StatsWords}
}

// Check implements Call.
func (s SoftmaxCrossEntropy) Check() error {
	c := checker{call: "softmax cross-entropy"}
	c.that(s.Rows > 0 && s.Classes > 0, "%d rows of %d classes, wanted positive numbers", s.Rows, s.Classes)
	c.size(s.Rows, s.Classes)
	c.that(s.Smoothing >= 0 && s.Smoothing < 1, "label smoothing %v, wanted a value in [0, 1)", s.Smoothing)
	c.typ(s.Type)
	c.elements("Logits", s.Logits, s.Rows*s.Classes, s.Type)
	c.mem("Targets", s.Targets, s.Rows*s.Classes)
	c.optional("DLogits", s.DLogits, s.Rows*s.Classes, s.Type)
	c.mem("Stats", s.Stats, StatsWords)
	return c.err
}

func (s SoftmaxCrossEntropy) storage() Type { return s.Type }

// WithWorkspace implements WorkspaceCall.
func (s SoftmaxCrossEntropy) WithWorkspace(m Mem) Call { s.Workspace = m; return s }
