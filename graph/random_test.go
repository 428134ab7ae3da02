package graph

import (
	"fmt"
	"slices"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/philox"
)

// randomGraph draws a network of up to two dozen layers: chains, branches that meet again, views, activations that fuse and some that
// do not, outputs with many readers and some with none, frozen layers.
func randomGraph(seed int) *Graph { return randomGraphOf(seed, func(op Op) Op { return op }) }

// randomGraphOf is randomGraph with every op passed through wrap.
func randomGraphOf(seed int, wrap func(Op) Op) *Graph {
	s := philox.New(3, philox.Test, seed, 0)
	g := New(Shape{H: 3 + s.IntN(4), W: 3 + s.IntN(4), C: 1 + s.IntN(4)})
	nodes := []*Node{g.Input()}
	pick := func() *Node { // mostly one of the latest
		if s.Bool(0.7) {
			return nodes[len(nodes)-1-s.IntN(min(3, len(nodes)))]
		}
		return nodes[s.IntN(len(nodes))]
	}
	for range 4 + s.IntN(20) {
		x := pick()
		op, in := randomOp(s, x, nodes)
		shapes := make([]Shape, len(in))
		for i, n := range in {
			shapes[i] = n.Out
		}
		if sig, err := op.Infer(shapes); err == nil && sig.Out.Size() <= 400 {
			nodes = append(nodes, g.Add(fmt.Sprint("n", len(nodes)), wrap(op), in...))
		}
		if _, ok := op.(BatchNorm); ok && s.Bool(0.7) { // the end of a residual block
			x = nodes[len(nodes)-1]
			in := []*Node{x, mate(s, x, nodes, func(o Shape) bool { return o == x.Out })}
			if s.Bool(0.5) {
				slices.Reverse(in)
			}
			nodes = append(nodes, g.Add(fmt.Sprint("n", len(nodes)), wrap(Add{}), in...))
		} else if ok && s.Bool(0.7) { // the end of a first layer
			x = nodes[len(nodes)-1]
			if s.Bool(0.7) {
				x = g.Add(fmt.Sprint("n", len(nodes)), wrap(Activation{device.Act(1 + s.IntN(4))}), x)
				nodes = append(nodes, x)
			}
			pool := MaxPool{Window{Size: [2]int{2, 2}, Stride: [2]int{1 + s.IntN(2), 1}, Pad: Same()}}
			if _, err := pool.Infer([]Shape{x.Out}); err == nil {
				nodes = append(nodes, g.Add(fmt.Sprint("n", len(nodes)), wrap(pool), x))
			}
		}
	}
	// Join what no one has read, but leave some of it alone.
	var sum *Node
	for _, n := range slices.Clone(nodes[1:]) {
		if n.uses > 0 || s.Bool(0.1) {
			continue
		}
		n = g.Add(n.Name+".out", wrap(Linear{Out: 5}), n)
		if sum != nil {
			n = g.Add(n.Name+".sum", wrap(Add{}), sum, n)
		}
		sum = n
	}
	if sum == nil {
		sum = nodes[len(nodes)-1]
	}
	g.Add("head", wrap(Linear{Out: 4}), sum)
	g.Freeze(func(p *Param) bool { return p.Node().Name != "head" && s.Bool(0.2) })
	return g
}

// randomOp draws an op that may or may not fit x, and its inputs, the first of which is x.
func randomOp(s *philox.Stream, x *Node, nodes []*Node) (Op, []*Node) {
	w := Window{Size: [2]int{1 + s.IntN(3), 1 + s.IntN(3)}, Stride: [2]int{1 + s.IntN(2), 1}, Ceil: s.Bool(0.3)}
	if s.Bool(0.5) {
		w.Pad = Same()
	}
	acts := []device.Act{device.ReLU, device.ReLU6, device.Tanh, device.Sigmoid}
	switch s.IntN(17) {
	case 0, 1:
		return Conv2D{Filters: 1 + s.IntN(4), Window: w, NoBias: s.Bool(0.3)}, []*Node{x}
	case 2:
		return Conv2D{Filters: x.Out.C, Window: w, Groups: x.Out.C}, []*Node{x}
	case 3:
		return MaxPool{w}, []*Node{x}
	case 4:
		return AvgPool{Window: w}, []*Node{x}
	case 5:
		return AdaptiveAvgPool{P: 1 + s.IntN(4), Q: 1 + s.IntN(4)}, []*Node{x}
	case 6:
		return BatchNorm{}, []*Node{x}
	case 7:
		return LRN{3, 1, 0.1, 0.75}, []*Node{x}
	case 8:
		return Dropout{[]float32{0, 0.3}[s.IntN(2)]}, []*Node{x}
	case 9:
		return []Op{Flatten{}, Softmax{}, Linear{Out: 1 + s.IntN(20)}}[s.IntN(3)], []*Node{x}
	case 10: // an input of the same shape, x itself among them
		return Add{}, []*Node{x, mate(s, x, nodes, func(o Shape) bool { return o == x.Out })}
	case 11:
		if s.Bool(0.3) {
			return PadChannels{Before: s.IntN(3), After: s.IntN(3)}, []*Node{x}
		}
		return Concat{}, []*Node{x, mate(s, x, nodes, func(o Shape) bool { return o.H == x.Out.H && o.W == x.Out.W })}
	}
	return Activation{acts[s.IntN(len(acts))]}, []*Node{x}
}

// mate draws one of the nodes whose shape fits; x always does.
func mate(s *philox.Stream, x *Node, nodes []*Node, fits func(Shape) bool) *Node {
	fitting := []*Node{x}
	for _, n := range nodes {
		if fits(n.Out) {
			fitting = append(fitting, n)
		}
	}
	return fitting[s.IntN(len(fitting))]
}
