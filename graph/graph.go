// Package graph describes networks and turns them into programs for a device: nodes and shapes, gradients, memory, execution.
//
// A Graph is a description without memory. Compiling it for a device and a batch size fixes everything else before the first
// step: which calls run in which order, where every operand lies, which kernel serves it. What remains of a training step is a loop over
// bound closures.
package graph

import (
	"errors"
	"fmt"
)

// ErrShape marks a layer that does not fit its input.
var ErrShape = errors.New("the layer does not fit its input")

// Op is one kind of layer. Each op is one file that holds its shape inference, its forward and its backward pass.
type Op interface {
	// String describes the op as a row of a paper's table does, for example "conv3x3 64 /2".
	String() string
	// Infer returns what the op makes of its inputs. An error says what was wanted; the caller adds the layer's name.
	Infer(in []Shape) (Sig, error)
	// Forward emits the calls that compute the node's output.
	Forward(e *Emit, n *Node)
	// Backward emits the calls that turn the gradient of the output into those of the inputs and parameters that need one.
	Backward(e *Emit, n *Node)
}

// Sig is the signature that an op infers.
type Sig struct {
	Out    Shape
	Params []*Param // names are relative to the node: "weight"
	// Saved are tensors that the forward pass leaves for the backward pass beside the op's own input and output.
	Saved []Saved
}

// Saved is the size of one such tensor: PerSample elements for each sample of the batch, and Fixed elements once, of float32 or of the type of activations.
type Saved struct {
	PerSample, Fixed int
	Activations      bool
}

// A viewer is an op that can pass its input on unchanged: then no call runs and no memory is taken.
type viewer interface{ view(training bool) bool }

// Node is one layer of a graph.
type Node struct {
	Name   string // the module's path in a PyTorch state_dict: "features.0"
	Op     Op     // nil for the input
	In     []*Node
	Out    Shape
	Params []*Param

	saved []Saved
	index int // position in Graph.nodes, which is a topological order
	layer int // the same in the network that the graph was cut from, for dropout's masks
	uses  int // nodes that read the output
}

// Graph is a network. Build one with New and Add.
type Graph struct {
	nodes  []*Node
	params []*Param
	names  map[string]bool
	stage  int // of a training in stages
	err    error
}

// New returns a graph that has only its input.
func New(in Shape) *Graph {
	g := &Graph{names: map[string]bool{}}
	if !in.valid() {
		g.err = fmt.Errorf("input %v: %w: wanted positive sizes", in, ErrShape)
	}
	g.nodes = []*Node{{Name: "input", Out: in}}
	return g
}

// Input returns the node of the input images.
func (g *Graph) Input() *Node { return g.nodes[0] }

// Output returns the node that was added last.
func (g *Graph) Output() *Node { return g.nodes[len(g.nodes)-1] }

// Nodes returns all nodes, inputs before their users. The caller must not change the slice.
func (g *Graph) Nodes() []*Node { return g.nodes }

// Params returns all parameters in the order in which their layers were added.
func (g *Graph) Params() []*Param { return g.params }

// Err returns the first error that Add met.
func (g *Graph) Err() error { return g.err }

// Add appends a layer that reads in and returns its node. The first error sticks: after it Add returns nodes without meaning, and
// Err and Compile report it, so that a network can be written down without a check at each line.
func (g *Graph) Add(name string, op Op, in ...*Node) *Node {
	n := &Node{Name: name, Op: op, In: in, index: len(g.nodes), layer: len(g.nodes)}
	if g.err == nil {
		g.err = g.infer(n)
	}
	g.nodes = append(g.nodes, n)
	return n
}

func (g *Graph) infer(n *Node) error {
	if len(n.In) == 0 {
		return fmt.Errorf("layer %s (%v): no input, wanted at least one", n.Name, n.Op)
	}
	shapes := make([]Shape, len(n.In))
	for i, in := range n.In {
		if in == nil || in.index >= n.index || g.nodes[in.index] != in {
			return fmt.Errorf("layer %s (%v): input %d is not a layer of this graph", n.Name, n.Op, i)
		}
		shapes[i] = in.Out
		in.uses++
	}
	sig, err := n.Op.Infer(shapes)
	if err == nil && !sig.Out.valid() {
		err = fmt.Errorf("%w: input %v gives an output of %v", ErrShape, shapes[0], sig.Out)
	}
	if err != nil {
		return fmt.Errorf("layer %s (%v): %w", n.Name, n.Op, err)
	}
	if g.names[n.Name] {
		return fmt.Errorf("layer %s (%v): the name is taken", n.Name, n.Op)
	}
	g.names[n.Name] = true
	n.Out, n.saved, n.Params = sig.Out, sig.Saved, sig.Params
	for _, p := range sig.Params {
		p.Name = n.Name + "." + p.Name
		p.node, p.index = n, len(g.params)
		g.params = append(g.params, p)
	}
	return nil
}

// NumParams returns the number of elements of all parameters, and how many of them are trained. Running statistics count as neither, as in
// PyTorch.
func (g *Graph) NumParams() (all, trainable int) {
	for _, p := range g.params {
		if p.Stat {
			continue
		}
		all += p.Len()
		if p.Trainable() {
			trainable += p.Len()
		}
	}
	return all, trainable
}
