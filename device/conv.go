package device

// Conv is the geometry of a convolution: a window over C input channels that yields K output channels. Channels are cut
// into Groups equal parts that do not mix; Groups == C is a depthwise convolution. The filter is
// (K, R, S, C/Groups). As everywhere in deep learning, this is cross-correlation: the filter is not flipped.
//
// Images, their gradients, residuals and the filter are of the type that Precision stores; a bias and the gradient of the filter are
// float32.
type Conv struct {
	Window
	K, Groups int
	Precision Precision
}

func (v Conv) check(c *checker) {
	v.Window.check(c)
	c.precision(v.Precision)
	c.that(v.K > 0 && v.Groups > 0, "%d output channels in %d groups, wanted positive numbers", v.K, v.Groups)
	if c.err == nil {
		c.size(v.N, v.P, v.Q, v.K)
		c.size(v.K, v.R, v.S, v.C)
		c.that(v.C%v.Groups == 0 && v.K%v.Groups == 0, "%d input and %d output channels, wanted multiples of %d groups", v.C, v.K, v.Groups)
	}
}

// FilterLen returns the number of filter elements.
func (v Conv) FilterLen() int { return v.K * v.R * v.S * (v.C / v.Groups) }

func (v Conv) precision() Precision { return v.Precision }

// cost counts one pass: the three passes of a convolution do the same number of multiply-adds. filter is the type of the filter or its
// gradient, accumulate are the bytes of the result that are read too.
func (v Conv) cost(filter Type, accumulate int64) Cost {
	taps := int64(v.R) * int64(v.S) * int64(v.C/v.Groups)
	out := int64(v.Out(v.K))
	return Cost{2 * out * taps, v.Precision.Type().Size()*(int64(v.In())+out) + filter.Size()*int64(v.FilterLen()) + accumulate}
}

// ConvForward computes Y[n,p,q,k] = epilogue(sum over r,s,c of X[n, p*stride-pad+r*dil, q*stride-pad+s*dil, g*C/G+c] * Weight[k,r,s,c]),
// where g is the group of k and pixels outside the image are zero.
type ConvForward struct {
	Conv
	X      Mem // (N, H, W, C)
	Weight Mem // (K, R, S, C/Groups)
	Y      Mem // (N, P, Q, K)
	Epilogue
	Workspace Mem
}

// Cost implements Call.
func (f ConvForward) Cost() Cost {
	t := f.Precision.Type()
	return f.Conv.cost(t, 0).Plus(f.Epilogue.cost(f.N*f.P*f.Q, f.K, t))
}

// Check implements Call.
func (f ConvForward) Check() error {
	c := checker{call: "convolution forward"}
	f.Conv.check(&c)
	if c.err != nil {
		return c.err
	}
	t := f.Precision.Type()
	c.elements("X", f.X, f.In(), t)
	c.elements("Weight", f.Weight, f.FilterLen(), t)
	c.elements("Y", f.Y, f.Out(f.K), t)
	f.Epilogue.check(&c, f.N*f.P*f.Q, f.K, t)
	return c.err
}

// WithWorkspace implements WorkspaceCall.
func (f ConvForward) WithWorkspace(m Mem) Call { f.Workspace = m; return f }

// ConvBackwardData computes the gradient of the input: DX (+)= the transposed convolution of DY with Weight.
type ConvBackwardData struct {
	Conv
	DY         Mem // (N, P, Q, K)
	Weight     Mem // (K, R, S, C/Groups)
	DX         Mem // (N, H, W, C)
	Accumulate bool
	Workspace  Mem
}

// Cost implements Call.
func (b ConvBackwardData) Cost() Cost {
	t := b.Precision.Type()
	return b.Conv.cost(t, t.Size()*int64(ifAcc(b.Accumulate, b.In())))
}

// Check implements Call.
func (b ConvBackwardData) Check() error {
	c := checker{call: "convolution backward data"}
	b.Conv.check(&c)
	if c.err != nil {
		return c.err
	}
	t := b.Precision.Type()
	c.elements("DY", b.DY, b.Out(b.K), t)
	c.elements("Weight", b.Weight, b.FilterLen(), t)
	c.elements("DX", b.DX, b.In(), t)
	return c.err
}

// WithWorkspace implements WorkspaceCall.
func (b ConvBackwardData) WithWorkspace(m Mem) Call { b.Workspace = m; return b }

// ConvBackwardFilter computes the gradient of the filter: DWeight[k,r,s,c] (+)= sum over n,p,q of DY[n,p,q,k] * X[n, ...].
type ConvBackwardFilter struct {
	Conv
	X          Mem // (N, H, W, C)
	DY         Mem // (N, P, Q, K)
	DWeight    Mem // (K, R, S, C/Groups)
	Accumulate bool
	Workspace  Mem
}

// Cost implements Call.
func (b ConvBackwardFilter) Cost() Cost {
	return b.Conv.cost(Float32, Float32.Size()*int64(ifAcc(b.Accumulate, b.FilterLen())))
}

// Check implements Call.
func (b ConvBackwardFilter) Check() error {
	c := checker{call: "convolution backward filter"}
	b.Conv.check(&c)
	if c.err != nil {
		return c.err
	}
	t := b.Precision.Type()
	c.elements("X", b.X, b.In(), t)
	c.elements("DY", b.DY, b.Out(b.K), t)
	c.mem("DWeight", b.DWeight, b.FilterLen())
	return c.err
}

// WithWorkspace implements WorkspaceCall.
func (b ConvBackwardFilter) WithWorkspace(m Mem) Call { b.Workspace = m; return b }

// BiasGrad sums the rows of a matrix in a fixed order: DB[c] (+)= sum over r of DY[r, c]. It is the bias gradient of
// convolutions (rows are pixels) and of fully connected layers (rows are samples).
type BiasGrad struct {
	Rows, Cols int
	Type       Type // of DY
	DY         Mem  // (Rows, Cols)
	DB         Mem  // (Cols)
	Accumulate bool
	Workspace  Mem
}

// Cost implements Call.
func (b BiasGrad) Cost() Cost {
	n := int64(b.Rows) * int64(b.Cols)
	return Cost{n, b.Type.Size()*n + 4*int64(b.Cols)}
}

// Check implements Call.
func (b BiasGrad) Check() error {
	c := checker{call: "bias gradient"}
	c.that(b.Rows > 0 && b.Cols > 0, "%d rows of %d columns, wanted positive numbers", b.Rows, b.Cols)
	c.size(b.Rows, b.Cols)
	c.typ(b.Type)
	c.elements("DY", b.DY, b.Rows*b.Cols, b.Type)
	c.mem("DB", b.DB, b.Cols)
	return c.err
}

func (b BiasGrad) storage() Type { return b.Type }

// WithWorkspace implements WorkspaceCall.
func (b BiasGrad) WithWorkspace(m Mem) Call { b.Workspace = m; return b }

// ifAcc returns the n elements that an accumulating call reads beside its inputs.
func ifAcc(accumulate bool, n int) int {
	if accumulate {
		return n
	}
	return 0
}
