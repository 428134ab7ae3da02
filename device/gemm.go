package device

// Gemm computes C = epilogue(op(A)·op(B)), or C += op(A)·op(B) if Accumulate is set; op transposes if asked to. op(A) is
// (M, K), op(B) is (K, N), C is (M, N), all dense row-major. An epilogue and Accumulate exclude each other.
//
// A and B are of the type that Precision stores. C is of type CType, which under BF16 may be either: float32 for the gradient of a
// weight, bfloat16 for activations and their gradients.
type Gemm struct {
	M, N, K        int
	Precision      Precision
	CType          Type
	TransA, TransB bool
	A, B, C        Mem
	Accumulate     bool
	Epilogue
	Workspace Mem
}

// Cost implements Call.
func (g Gemm) Cost() Cost {
	m, n, k := int64(g.M), int64(g.N), int64(g.K)
	c := Cost{2 * m * n * k, g.Precision.Type().Size()*(m*k+k*n) + g.CType.Size()*m*n}
	if g.Accumulate {
		c.Bytes += g.CType.Size() * m * n
	}
	return c.Plus(g.Epilogue.cost(g.M, g.N, g.CType))
}

// Check implements Call.
func (g Gemm) Check() error {
	c := checker{call: "gemm"}
	c.that(g.M > 0 && g.N > 0 && g.K > 0, "M=%d N=%d K=%d, wanted positive sizes", g.M, g.N, g.K)
	c.size(g.M, g.K)
	c.size(g.K, g.N)
	c.size(g.M, g.N)
	c.precision(g.Precision)
	c.typ(g.CType)
	t := g.Precision.Type()
	c.that(g.CType <= t, "%v results of %v, wanted %v", g.CType, g.Precision, t)
	c.elements("A", g.A, g.M*g.K, t)
	c.elements("B", g.B, g.K*g.N, t)
	c.elements("C", g.C, g.M*g.N, g.CType)
	g.Epilogue.check(&c, g.M, g.N, g.CType)
	c.that(!g.Accumulate || g.Epilogue == Epilogue{}, "an epilogue together with Accumulate")
	return c.err
}

func (g Gemm) precision() Precision { return g.Precision }

// WithWorkspace implements WorkspaceCall.
func (g Gemm) WithWorkspace(m Mem) Call { g.Workspace = m; return g }
