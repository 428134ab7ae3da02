// Package transfer holds what fine-tuning adds to training: which layers of a pretrained network are trained and when, at what rate, and the
// features of its frozen part, computed once and kept.
package transfer

import (
	"slices"
	"strings"

	"github.com/cnnctl/cnnctl/graph"
)

// A Layer is what people count as one: a convolution with its batch norm, a fire module, a residual block, a fully connected layer. Its
// parameters are frozen and trained together.
type Layer struct {
	Name  string // of the module in a state_dict: "features.3", "layer1.0", "conv1"
	Nodes []*graph.Node
}

// Layers returns the layers with parameters from the input to the output. The last one is the head, which turns features into scores of the
// classes: it has one output for each of them, and everything behind it (in SqueezeNet a ReLU and the mean over the pixels) has no parameters.
func Layers(g *graph.Graph) []Layer {
	var ls []Layer
	for _, n := range g.Nodes() {
		if len(n.Params) == 0 {
			continue
		}
		name := module(n.Name)
		_, norm := n.Op.(graph.BatchNorm)
		if k := len(ls) - 1; k >= 0 && (norm || ls[k].Name == name) { // a batch norm of its own name is a part of what it normalises
			ls[k].Nodes = append(ls[k].Nodes, n)
			continue
		}
		ls = append(ls, Layer{name, []*graph.Node{n}})
	}
	return ls
}

// HeadParams returns the parameters of the head.
func HeadParams(g *graph.Graph) []*graph.Param {
	ls := Layers(g)
	if len(ls) == 0 {
		return nil
	}
	return ls[len(ls)-1].params()
}

// module is the part of a node's name that its layer goes by: a numbered block of a named group, or the name itself.
func module(name string) string {
	parts := strings.SplitN(name, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

func (l Layer) params() []*graph.Param {
	var ps []*graph.Param
	for _, n := range l.Nodes {
		ps = append(ps, n.Params...)
	}
	return ps
}

// out is the shape of the layer's output.
func (l Layer) out() graph.Shape { return l.Nodes[len(l.Nodes)-1].Out }

// is reports whether name means the layer: its own name, that of a group that it belongs to, or that of a part of it.
func (l Layer) is(name string) bool {
	return l.Name == name || strings.HasPrefix(l.Name, name+".") ||
		slices.ContainsFunc(l.Nodes, func(n *graph.Node) bool { return n.Name == name || strings.HasPrefix(n.Name, name+".") })
}

// groups returns the layers in the groups that gradual unfreezing thaws one by one, as indices, the head first: itself, then all layers
// of the last resolution, and so on to the first. They are the stages of the papers' tables: ResNet's layer4 to layer1 and stem, the blocks of
// VGG between two poolings.
func groups(ls []Layer) [][]int {
	head := len(ls) - 1
	out := [][]int{{head}}
	for i := head - 1; i >= 0; i-- {
		if a, b := ls[i].out(), ls[i+1].out(); i+1 == head || a.H != b.H || a.W != b.W {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], i)
	}
	return out
}
