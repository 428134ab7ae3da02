package device

// BatchNormForward normalises each channel by the statistics of the batch (Ioffe and Szegedy, arXiv:1502.03167):
// Y = act(Gamma·(X - mean)/sqrt(var + Eps) + Beta + Residual), with the biased variance. It moves the running statistics by Momentum towards
// the batch's, the variance unbiased, as PyTorch does: Run = (1-Momentum)·Run + Momentum·batch.
type BatchNormForward struct {
	Rows, C         int     // Rows = N·H·W
	Eps, Momentum   float32 // PyTorch's defaults are 1e-5 and 0.1
	Type            Type    // of X, Y and Residual
	X, Y            Mem     // (Rows, C)
	Residual        Mem     // (Rows, C) or absent; Y may be Residual
	Act             Act
	Gamma, Beta     Mem // (C)
	RunMean, RunVar Mem // (C), updated
	Mean, InvStd    Mem // (C), written for backward
	Workspace       Mem
}

// Cost implements Call. X is read twice: no implementation can normalise before it has the mean.
func (f BatchNormForward) Cost() Cost {
	n := int64(f.Rows) * int64(f.C)
	return Cost{7 * n, f.Type.Size()*3*n + 32*int64(f.C)}.Plus(f.epilogue().cost(f.Rows, f.C, f.Type))
}

func (f BatchNormForward) epilogue() Epilogue { return Epilogue{Residual: f.Residual, Act: f.Act} }

// Check implements Call.
func (f BatchNormForward) Check() error {
	c := checker{call: "batch norm forward"}
	c.that(f.Rows > 1 && f.C > 0, "%d values for each of %d channels, wanted at least 2 to estimate a variance", f.Rows, f.C)
	c.size(f.Rows, f.C)
	c.typ(f.Type)
	c.elements("X", f.X, f.Rows*f.C, f.Type)
	c.elements("Y", f.Y, f.Rows*f.C, f.Type)
	f.epilogue().check(&c, f.Rows, f.C, f.Type)
	c.mems(f.C, operand{"Gamma", f.Gamma}, operand{"Beta", f.Beta}, operand{"RunMean", f.RunMean}, operand{"RunVar", f.RunVar}, operand{"Mean", f.Mean}, operand{"InvStd", f.InvStd})
	return c.err
}

func (f BatchNormForward) storage() Type { return f.Type }

// WithWorkspace implements WorkspaceCall.
func (f BatchNormForward) WithWorkspace(m Mem) Call { f.Workspace = m; return f }

// BatchNormInference is BatchNormForward by the running statistics, which stay: evaluation, and training with frozen statistics.
type BatchNormInference struct {
	Rows, C         int
	Eps             float32
	Type            Type // of X, Y and Residual
	X, Y            Mem  // (Rows, C); Y may be X
	Residual        Mem  // (Rows, C) or absent; Y may be Residual
	Act             Act
	Gamma, Beta     Mem // (C)
	RunMean, RunVar Mem // (C)
}

// Cost implements Call.
func (f BatchNormInference) Cost() Cost {
	n := int64(f.Rows) * int64(f.C)
	return Cost{2 * n, f.Type.Size()*2*n + 16*int64(f.C)}.Plus(f.epilogue().cost(f.Rows, f.C, f.Type))
}

func (f BatchNormInference) epilogue() Epilogue { return Epilogue{Residual: f.Residual, Act: f.Act} }

// Check implements Call.
func (f BatchNormInference) Check() error {
	c := checker{call: "batch norm inference"}
	c.that(f.Rows > 0 && f.C > 0, "%d values for each of %d channels, wanted positive numbers", f.Rows, f.C)
	c.size(f.Rows, f.C)
	c.typ(f.Type)
	c.elements("X", f.X, f.Rows*f.C, f.Type)
	c.elements("Y", f.Y, f.Rows*f.C, f.Type)
	f.epilogue().check(&c, f.Rows, f.C, f.Type)
	c.mem("Gamma", f.Gamma, f.C)
	c.mem("Beta", f.Beta, f.C)
	c.mem("RunMean", f.RunMean, f.C)
	c.mem("RunVar", f.RunVar, f.C)
	return c.err
}

func (f BatchNormInference) storage() Type { return f.Type }

// BatchNormBackward is the gradient of BatchNormForward. With x̂ = (X-Mean)·InvStd and the gradient G behind the activation and the residual:
//
//	DGamma (+)= sum G·x̂,  DBeta (+)= sum G
//	DX (+)= Gamma·InvStd·(G - mean(G) - x̂·mean(G·x̂))
//
// Accumulate concerns DX, AccumulateParams concerns DGamma and DBeta. DResidual is complete before DX is begun: what a layer and its residual both read
// has one gradient, to which DX is added.
type BatchNormBackward struct {
	EpilogueGradient
	Rows, C          int
	Type             Type // of all operands of (Rows, C)
	X, DY, DX        Mem  // (Rows, C); DX may be absent, X or DY unless Accumulate is set, or DResidual if it is
	Gamma            Mem  // (C)
	Mean, InvStd     Mem  // (C), from the forward pass
	DGamma, DBeta    Mem  // (C), required: the input's gradient needs both sums anyway
	Accumulate       bool
	AccumulateParams bool
	Workspace        Mem
}

// Cost implements Call.
func (b BatchNormBackward) Cost() Cost {
	n := int64(b.Rows) * int64(b.C)
	k := Cost{10 * n, b.Type.Size()*(5*n+int64(ifAcc(b.Accumulate, b.Rows*b.C))) + 20*int64(b.C)}
	return k.Plus(b.EpilogueGradient.cost(n, 2, b.Type, b.DY))
}

// Check implements Call.
func (b BatchNormBackward) Check() error {
	c := checker{call: "batch norm backward"}
	c.that(b.Rows > 1 && b.C > 0, "%d values for each of %d channels, wanted at least 2", b.Rows, b.C)
	c.size(b.Rows, b.C)
	c.typ(b.Type)
	c.elements("X", b.X, b.Rows*b.C, b.Type)
	c.elements("DY", b.DY, b.Rows*b.C, b.Type)
	c.optional("DX", b.DX, b.Rows*b.C, b.Type)
	b.EpilogueGradient.check(&c, b.Rows*b.C, b.Type)
	c.mems(b.C, operand{"Gamma", b.Gamma}, operand{"Mean", b.Mean}, operand{"InvStd", b.InvStd}, operand{"DGamma", b.DGamma}, operand{"DBeta", b.DBeta})
	return c.err
}

func (b BatchNormBackward) storage() Type { return b.Type }

// WithWorkspace implements WorkspaceCall.
func (b BatchNormBackward) WithWorkspace(m Mem) Call { b.Workspace = m; return b }

// BatchNormFrozenBackward is the gradient of BatchNormInference: with constant statistics the layer is affine, so with the G of BatchNormBackward
// DX (+)= G·Gamma/sqrt(RunVar+Eps), DGamma (+)= sum G·x̂, DBeta (+)= sum G.
type BatchNormFrozenBackward struct {
	EpilogueGradient
	Rows, C          int
	Eps              float32
	Type             Type // of all operands of (Rows, C)
	X                Mem  // (Rows, C), needed for DGamma only
	DY, DX           Mem  // (Rows, C); DX may be absent, DY unless Accumulate is set, or DResidual if it is
	Gamma            Mem  // (C)
	RunMean, RunVar  Mem  // (C)
	DGamma, DBeta    Mem  // (C), both or neither
	Accumulate       bool
	AccumulateParams bool
	Workspace        Mem
}

// Cost implements Call.
func (b BatchNormFrozenBackward) Cost() Cost {
	n := int64(b.Rows) * int64(b.C)
	k := Cost{n, b.Type.Size()*(2*n+int64(ifAcc(b.Accumulate, b.Rows*b.C))) + 12*int64(b.C)}
	passes := 1
	if !b.DGamma.IsZero() {
		k = k.Plus(Cost{5 * n, b.Type.Size()*n + 8*int64(b.C)})
		passes = 2
	}
	return k.Plus(b.EpilogueGradient.cost(n, passes, b.Type, b.DY))
}

// Check implements Call.
func (b BatchNormFrozenBackward) Check() error {
	c := checker{call: "frozen batch norm backward"}
	c.that(b.Rows > 0 && b.C > 0, "%d values for each of %d channels, wanted positive numbers", b.Rows, b.C)
	c.size(b.Rows, b.C)
	c.typ(b.Type)
	c.elements("DY", b.DY, b.Rows*b.C, b.Type)
	c.optional("DX", b.DX, b.Rows*b.C, b.Type)
	b.EpilogueGradient.check(&c, b.Rows*b.C, b.Type)
	c.mem("Gamma", b.Gamma, b.C)
	c.mem("RunMean", b.RunMean, b.C)
	c.mem("RunVar", b.RunVar, b.C)
	c.that(b.DGamma.IsZero() == b.DBeta.IsZero(), "one of DGamma and DBeta, wanted both or neither")
	c.that(!b.DX.IsZero() || !b.DGamma.IsZero(), "nothing to compute: neither DX nor DGamma")
	if !b.DGamma.IsZero() {
		c.elements("X", b.X, b.Rows*b.C, b.Type)
		c.mem("DGamma", b.DGamma, b.C)
		c.mem("DBeta", b.DBeta, b.C)
	}
	return c.err
}

func (b BatchNormFrozenBackward) storage() Type { return b.Type }

// WithWorkspace implements WorkspaceCall.
func (b BatchNormFrozenBackward) WithWorkspace(m Mem) Call { b.Workspace = m; return b }

// LRNForward is local response normalisation across channels (Krizhevsky, Sutskever and Hinton 2012, section 3.3):
// Scale = K + Alpha·(sum of X² over Size neighbouring channels, Size/2 of them before), Y = X·Scale^-Beta.
//
// Alpha multiplies the sum as in the paper; PyTorch divides its alpha by the size first.
type LRNForward struct {
	Rows, C        int // Rows = N·H·W
	Size           int
	K, Alpha, Beta float32
	Type           Type // of X and Y
	X, Y           Mem  // (Rows, C)
	Scale          Mem  // (Rows, C), written for backward, or absent
}

// Cost implements Call.
func (f LRNForward) Cost() Cost {
	n := int64(f.Rows) * int64(f.C)
	b := 2 * f.Type.Size() * n
	if !f.Scale.IsZero() {
		b += 4 * n
	}
	return Cost{int64(f.Size+12) * n, b}
}

// Check implements Call.
func (f LRNForward) Check() error {
	c := checker{call: "local response norm forward"}
	c.that(f.Rows > 0 && f.C > 0 && f.Size > 0, "%d rows, %d channels, size %d, wanted positive numbers", f.Rows, f.C, f.Size)
	c.size(f.Rows, f.C)
	c.typ(f.Type)
	c.elements("X", f.X, f.Rows*f.C, f.Type)
	c.elements("Y", f.Y, f.Rows*f.C, f.Type)
	c.optional("Scale", f.Scale, f.Rows*f.C, Float32)
	return c.err
}

func (f LRNForward) storage() Type { return f.Type }

// LRNBackward is the gradient of LRNForward:
// DX[c] (+)= DY[c]·Scale[c]^-Beta - 2·Alpha·Beta·X[c]·sum of DY[j]·Y[j]/Scale[j] over the j whose window holds c.
type LRNBackward struct {
	Rows, C         int
	Size            int
	Alpha, Beta     float32
	Type            Type // of X, Y, DY and DX
	X, Y, Scale, DY Mem  // (Rows, C)
	DX              Mem  // (Rows, C), none of the inputs
	Accumulate      bool
}

// Cost implements Call.
func (b LRNBackward) Cost() Cost {
	n := int64(b.Rows) * int64(b.C)
	return Cost{int64(b.Size+14) * n, b.Type.Size()*(4*n+int64(ifAcc(b.Accumulate, b.Rows*b.C))) + 4*n}
}

// Check implements Call.
func (b LRNBackward) Check() error {
	c := checker{call: "local response norm backward"}
	c.that(b.Rows > 0 && b.C > 0 && b.Size > 0, "%d rows, %d channels, size %d, wanted positive numbers", b.Rows, b.C, b.Size)
	c.size(b.Rows, b.C)
	c.typ(b.Type)
	for _, m := range []struct {
		name string
		mem  Mem
	}{{"X", b.X}, {"Y", b.Y}, {"DY", b.DY}, {"DX", b.DX}} {
		c.elements(m.name, m.mem, b.Rows*b.C, b.Type)
	}
	c.mem("Scale", b.Scale, b.Rows*b.C)
	return c.err
}

func (b LRNBackward) storage() Type { return b.Type }
