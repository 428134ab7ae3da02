package device

// ActForward computes Y[i] = act(X[i]). Y may be X.
type ActForward struct {
	N    int // elements
	Type Type
	Act  Act
	X, Y Mem
}

// Cost implements Call.
func (f ActForward) Cost() Cost { return Cost{int64(f.N), 2 * f.Type.Size() * int64(f.N)} }

// Check implements Call.
func (f ActForward) Check() error {
	c := checker{call: "activation forward"}
	c.that(f.N > 0, "%d elements, wanted a positive number", f.N)
	c.that(f.Act <= Sigmoid, "unknown activation %v", f.Act)
	c.typ(f.Type)
	c.elements("X", f.X, f.N, f.Type)
	c.elements("Y", f.Y, f.N, f.Type)
	return c.err
}

func (f ActForward) storage() Type { return f.Type }

// ActBackward computes DX[i] (+)= DY[i]·act'(x), expressed in the output Y[i]. DX may be DY.
type ActBackward struct {
	N          int
	Type       Type
	Act        Act
	Y, DY, DX  Mem
	Accumulate bool
}

// Cost implements Call.
func (b ActBackward) Cost() Cost {
	n := int64(b.N)
	return Cost{2 * n, b.Type.Size() * (3*n + int64(ifAcc(b.Accumulate, b.N)))}
}

// Check implements Call.
func (b ActBackward) Check() error {
	c := checker{call: "activation backward"}
	c.that(b.N > 0, "%d elements, wanted a positive number", b.N)
	c.that(b.Act <= Sigmoid, "unknown activation %v", b.Act)
	c.typ(b.Type)
	c.elements("Y", b.Y, b.N, b.Type)
	c.elements("DY", b.DY, b.N, b.Type)
	c.elements("DX", b.DX, b.N, b.Type)
	return c.err
}

func (b ActBackward) storage() Type { return b.Type }

// Add computes Y[i] = act(A[i] + B[i]). Y may be A or B.
type Add struct {
	N       int
	Type    Type
	A, B, Y Mem
	Act     Act
}

// Cost implements Call.
func (a Add) Cost() Cost { return Cost{int64(a.N), 3 * a.Type.Size() * int64(a.N)} }

// Check implements Call.
func (a Add) Check() error {
	c := checker{call: "add"}
	c.that(a.N > 0, "%d elements, wanted a positive number", a.N)
	c.that(a.Act <= Sigmoid, "unknown activation %v", a.Act)
	c.typ(a.Type)
	c.elements("A", a.A, a.N, a.Type)
	c.elements("B", a.B, a.N, a.Type)
	c.elements("Y", a.Y, a.N, a.Type)
	return c.err
}

func (a Add) storage() Type { return a.Type }

// Copy copies a block of Rows x Cols elements between two matrices whose rows are SrcStride and DstStride elements apart:
// DST[r, c] (+)= SRC[r, c]. With the Mem of a channel range it concatenates and splits along the channels. Dst may be Src unless Accumulate
// is set, and then there is nothing to do.
type Copy struct {
	Rows, Cols           int
	Type                 Type
	Src, Dst             Mem // each begins at the first element of the block
	SrcStride, DstStride int
	Accumulate           bool
}

// Cost implements Call.
func (p Copy) Cost() Cost {
	if p.InPlace() {
		return Cost{}
	}
	n := int64(p.Rows) * int64(p.Cols)
	if p.Accumulate {
		return Cost{n, 3 * p.Type.Size() * n}
	}
	return Cost{0, 2 * p.Type.Size() * n}
}

// Check implements Call.
func (p Copy) Check() error {
	c := checker{call: "copy"}
	c.that(p.Rows > 0 && p.Cols > 0, "block of %dx%d, wanted positive sizes", p.Rows, p.Cols)
	c.size(p.Rows, p.SrcStride)
	c.size(p.Rows, p.DstStride)
	c.that(p.SrcStride >= p.Cols && p.DstStride >= p.Cols, "rows %d and %d elements apart, wanted at least %d", p.SrcStride, p.DstStride, p.Cols)
	c.typ(p.Type)
	c.elements("Src", p.Src, (p.Rows-1)*p.SrcStride+p.Cols, p.Type)
	c.elements("Dst", p.Dst, (p.Rows-1)*p.DstStride+p.Cols, p.Type)
	return c.err
}

// InPlace reports whether the copy is in its place already.
func (p Copy) InPlace() bool { return p.Src == p.Dst && p.SrcStride == p.DstStride && !p.Accumulate }

func (p Copy) storage() Type { return p.Type }

// Fill sets N elements to a value.
type Fill struct {
	N     int
	Type  Type
	Y     Mem
	Value float32
}

// Cost implements Call.
func (f Fill) Cost() Cost { return Cost{0, f.Type.Size() * int64(f.N)} }

// Check implements Call.
func (f Fill) Check() error {
	c := checker{call: "fill"}
	c.that(f.N > 0, "%d elements, wanted a positive number", f.N)
	c.typ(f.Type)
	c.elements("Y", f.Y, f.N, f.Type)
	return c.err
}

func (f Fill) storage() Type { return f.Type }
