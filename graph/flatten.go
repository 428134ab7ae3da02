package graph

// Flatten turns an image into a vector of features. The memory stays as it is, so it costs nothing.
type Flatten struct{}

func (Flatten) String() string { return "flatten" }

// Infer implements Op.
func (Flatten) Infer(in []Shape) (Sig, error) {
	out := in[0]
	out.Flat = true
	return Sig{Out: out}, nil
}

func (Flatten) view(bool) bool { return true }

// Forward implements Op.
func (Flatten) Forward(*Emit, *Node) {}

// Backward implements Op.
func (Flatten) Backward(*Emit, *Node) {}
