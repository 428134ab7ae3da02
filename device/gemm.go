package device

// Gemm computes C = epilogue(op(A)·op(B)), or C += op(A)·op(B) if Accumulate is set; op transposes if asked to. op(A) is
// (M, K), op(B) is (K, N), C is (M, N), all dense row-major. An epilogue and Accumulate exclude each other.
type Gemm struct {
	M, N, K        int
	TransA, TransB bool
	A, B, C        Mem
	Accumulate     bool
	Epilogue
	Workspace Mem
}

// Cost implements Call.
func (g Gemm) Cost() Cost {
	m, n, k := int64(g.M), int64(g.N), int64(g.K)
	c := Cost{2 * m * n * k, 4 * (m*k + k*n + m*n)}
	if g.Accumulate {
		c.Bytes += 4 * m * n
	}
	return c.Plus(g.Epilogue.cost(g.M, g.N))
}

// Check implements Call.
func (g Gemm) Check() error {
	c := checker{call: "gemm"}
	c.that(g.M > 0 && g.N > 0 && g.K > 0, "M=%d N=%d K=%d, wanted positive sizes", g.M, g.N, g.K)
	c.size(g.M, g.K)
	c.size(g.K, g.N)
	c.size(g.M, g.N)
	c.mem("A", g.A, g.M*g.K)
	c.mem("B", g.B, g.K*g.N)
	c.mem("C", g.C, g.M*g.N)
	g.Epilogue.check(&c, g.M, g.N)
	c.that(!g.Accumulate || g.Epilogue == Epilogue{}, "an epilogue together with Accumulate")
	return c.err
}

// WithWorkspace implements WorkspaceCall.
func (g Gemm) WithWorkspace(m Mem) Call { g.Workspace = m; return g }
