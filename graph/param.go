package graph

import "github.com/cnnctl/cnnctl/philox"

// Param is a named tensor that a graph owns: a weight, a bias, or a running statistic.
type Param struct {
	Name string // as in a PyTorch state_dict: "features.0.weight"
	// Dims are the extents in memory: (K, R, S, C/groups) for filters, (out, H, W, C) for the weight of a fully connected layer on
	// H x W x C features, (C) for vectors.
	Dims []int
	// Perm and Export describe the tensor in a checkpoint: axis i of the checkpoint is axis Perm[i] here, and the result has the extents
	// Export (KRSC becomes KCRS; (out, H, W, C) becomes (out, C·H·W)). A nil Perm means the same order.
	Perm   []int
	Export []int
	Init   Init
	FanIn  int  // inputs that meet in one output, for Init
	FanOut int  // outputs that one input reaches, for Init
	Decay  bool // a weight, as opposed to a bias or the scale and shift of a normalisation
	Stat   bool // a running statistic: saved with the weights, but never trained
	Frozen bool // training leaves it alone, in this stage at least; set by Graph.Freeze, Thaw and Enter

	node  *Node
	index int // position in Graph.Params
	thaw  int // the stage from which it is trained, or Never
}

// Len returns the number of elements.
func (p *Param) Len() int {
	n := 1
	for _, d := range p.Dims {
		n *= d
	}
	return n
}

// Trainable reports whether a training step changes p through its gradient.
func (p *Param) Trainable() bool { return !p.Stat && !p.Frozen }

// Node returns the layer that p belongs to.
func (p *Param) Node() *Node { return p.node }

// initial writes p's initial values to dst, in the order of Dims. They depend on the seed and on p's position alone.
func (p *Param) initial(seed uint64, dst []float32) {
	r := philox.MakeStream(seed, philox.Init, p.index, 0)
	p.Init.fill(&r, p.FanIn, p.FanOut, dst)
}

// vector describes a one-dimensional parameter of n elements.
func vector(name string, n int, init Init) *Param {
	return &Param{Name: name, Dims: []int{n}, Export: []int{n}, Init: init}
}
