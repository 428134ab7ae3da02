package device

// Cast computes Y[i] = X[i] in another type, rounded to nearest even where that is the narrower one.
type Cast struct {
	N        int
	From, To Type // of X and Y
	X, Y     Mem  // (N); they do not overlap
}

// Cost implements Call.
func (k Cast) Cost() Cost { return Cost{0, int64(k.N) * (k.From.Size() + k.To.Size())} }

// Check implements Call.
func (k Cast) Check() error {
	c := checker{call: "cast"}
	c.that(k.N > 0, "%d elements, wanted a positive number", k.N)
	c.size(k.N)
	c.typ(k.From)
	c.typ(k.To)
	c.that(k.From != k.To, "from %v to %v, wanted two types", k.From, k.To)
	c.elements("X", k.X, k.N, k.From)
	c.elements("Y", k.Y, k.N, k.To)
	return c.err
}

func (k Cast) storage() Type { return max(k.From, k.To) }
