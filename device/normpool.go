package device

// BatchNormMaxPoolForward is BatchNormForward and then MaxPoolForward, without the normalised images in between, which are the largest tensor of many a
// network: Y is the largest element of each window of act(Gamma·(X - mean)/sqrt(var + Eps) + Beta), as MaxPoolForward finds it.
type BatchNormMaxPoolForward struct {
	Window                  // of the pooling
	Eps, Momentum   float32 // as in BatchNormForward
	Type            Type    // of X, Y and Largest
	Act             Act
	X               Mem // (N, H, W, C)
	Y               Mem // (N, P, Q, C)
	Arg             Mem // (N, P, Q, C), written for backward: positions, as MaxPoolForward writes them
	Largest         Mem // (N, P, Q, C), written for backward: the elements of X at these positions
	Gamma, Beta     Mem // (C)
	RunMean, RunVar Mem // (C), updated
	Mean, InvStd    Mem // (C), written for backward
	Workspace       Mem
}

// Cost implements Call.
func (f BatchNormMaxPoolForward) Cost() Cost {
	in, out := int64(f.In()), int64(f.Out(f.C))
	k := Cost{7*in + out*int64(f.R)*int64(f.S), f.Type.Size()*2*(in+out) + 4*out + 32*int64(f.C)}
	if f.Act != Identity {
		k.FLOPs += in
	}
	return k
}

// Check implements Call.
func (f BatchNormMaxPoolForward) Check() error {
	c := checker{call: "batch norm and max-pool forward"}
	checkPooledNorm(&c, f.Window, f.Type)
	Epilogue{Act: f.Act}.check(&c, 0, 0, f.Type)
	c.elements("X", f.X, f.In(), f.Type)
	c.elements("Y", f.Y, f.Out(f.C), f.Type)
	c.mem("Arg", f.Arg, f.Out(f.C))
	c.elements("Largest", f.Largest, f.Out(f.C), f.Type)
	c.mems(f.C, operand{"Gamma", f.Gamma}, operand{"Beta", f.Beta}, operand{"RunMean", f.RunMean}, operand{"RunVar", f.RunVar}, operand{"Mean", f.Mean}, operand{"InvStd", f.InvStd})
	return c.err
}

// checkPooledNorm checks the geometry of a batch norm whose output is pooled, and the rest that both passes have in common.
func checkPooledNorm(c *checker, w Window, t Type) {
	w.check(c)
	w.checkTouch(c)
	c.that(w.N*w.H*w.W > 1, "one value for each of %d channels, wanted at least 2 to estimate a variance", w.C)
	c.typ(t)
}

func (f BatchNormMaxPoolForward) storage() Type { return f.Type }

// WithWorkspace implements WorkspaceCall.
func (f BatchNormMaxPoolForward) WithWorkspace(m Mem) Call { f.Workspace = m; return f }

// BatchNormMaxPoolBackward is the gradient of BatchNormMaxPoolForward. Behind the activation it is P = DY·act'(x), expressed in the output Y; what an
// element of the normalised images gets of it is the sum G of the P of the windows in which it was the largest. So, with n elements in a channel,
//
//	DGamma (+)= sum P·(Largest - Mean)·InvStd,  DBeta (+)= sum P
//	DX (+)= Gamma·InvStd·(G - (sum P)/n - x̂·(sum P·(Largest - Mean)·InvStd)/n),  x̂ = (X - Mean)·InvStd
//
// Accumulate concerns DX, AccumulateParams concerns DGamma and DBeta.
type BatchNormMaxPoolBackward struct {
	Window
	Type             Type // of all operands but Arg and those of (C)
	Act              Act
	X, DX            Mem // (N, H, W, C); DX may be X unless Accumulate is set, or absent
	Arg, Largest     Mem // (N, P, Q, C), from the forward pass
	Y, DY            Mem // (N, P, Q, C); Y is not read if Act is Identity, and may be absent then
	Gamma            Mem // (C)
	Mean, InvStd     Mem // (C), from the forward pass
	DGamma, DBeta    Mem // (C), required: the input's gradient needs both sums anyway
	Accumulate       bool
	AccumulateParams bool
	Workspace        Mem
}

// Cost implements Call.
func (b BatchNormMaxPoolBackward) Cost() Cost {
	in, out := int64(b.In()), int64(b.Out(b.C))
	k := Cost{5 * out, b.Type.Size()*2*out + 20*int64(b.C)}
	reads := int64(1) // of DY, and of Y
	if !b.DX.IsZero() {
		k = k.Plus(Cost{5*in + out, b.Type.Size()*(2*in+int64(ifAcc(b.Accumulate, b.In()))+out) + 4*out})
		reads = 2
	}
	if b.Act != Identity {
		k = k.Plus(Cost{reads * out, b.Type.Size() * reads * out})
	}
	return k
}

// Check implements Call.
func (b BatchNormMaxPoolBackward) Check() error {
	c := checker{call: "batch norm and max-pool backward"}
	checkPooledNorm(&c, b.Window, b.Type)
	in, out := b.In(), b.Out(b.C)
	c.elements("X", b.X, in, b.Type)
	c.optional("DX", b.DX, in, b.Type)
	c.mem("Arg", b.Arg, out)
	c.elements("Largest", b.Largest, out, b.Type)
	EpilogueGradient{Act: b.Act, Y: b.Y}.check(&c, out, b.Type)
	c.elements("DY", b.DY, out, b.Type)
	c.mems(b.C, operand{"Gamma", b.Gamma}, operand{"Mean", b.Mean}, operand{"InvStd", b.InvStd}, operand{"DGamma", b.DGamma}, operand{"DBeta", b.DBeta})
	return c.err
}

func (b BatchNormMaxPoolBackward) storage() Type { return b.Type }

// WithWorkspace implements WorkspaceCall.
func (b BatchNormMaxPoolBackward) WithWorkspace(m Mem) Call { b.Workspace = m; return b }
