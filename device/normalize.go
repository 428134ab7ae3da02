package device

// Normalize turns the bytes of images into numbers by a table for each channel, and mirrors some of them on the way:
// Y[n, h, w, c] = Table[c, X[n, h, w', c]], where w' is W-1-w if Flip[n] is not 0, else w. The table gives the very numbers that the host would
// compute.
type Normalize struct {
	N, H, W, C int
	X          Mem // (N, H, W, C) bytes, up to a whole word
	Flip       Mem // (N) uint32
	Table      Mem // (C, 256)
	Y          Mem // (N, H, W, C)
}

// Cost implements Call.
func (n Normalize) Cost() Cost { return Cost{0, 5*int64(n.elements()) + 4*int64(n.N)} }

// elements returns the elements of Y.
func (n Normalize) elements() int { return n.N * n.H * n.W * n.C }

// Words returns the number of words that X takes.
func (n Normalize) Words() int { return (n.elements() + 3) / 4 }

// Check implements Call.
func (n Normalize) Check() error {
	c := checker{call: "normalize"}
	c.that(n.N > 0 && n.H > 0 && n.W > 0 && n.C > 0, "%d images of %dx%dx%d, wanted positive numbers", n.N, n.H, n.W, n.C)
	c.size(n.N, n.H, n.W, n.C)
	c.mem("X", n.X, n.Words())
	c.mem("Flip", n.Flip, n.N)
	c.mem("Table", n.Table, 256*n.C)
	c.mem("Y", n.Y, n.elements())
	return c.err
}
