package transfer

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/cnnctl/cnnctl/graph"
)

// ErrStrategy marks the name of a strategy that does not exist, or that the network has no layers for.
var ErrStrategy = errors.New("invalid strategy")

// Kind is a way to fine-tune.
type Kind string

// The kinds, by their names in the literature.
const (
	Head     Kind = "head"     // a linear probe: train the new head alone
	Features Kind = "features" // the same on features that are computed once
	Last     Kind = "last"     // last:N, train the last N layers, the head being the first of them
	From     Kind = "from"     // from:LAYER, train that layer and all behind it
	Gradual  Kind = "gradual"  // thaw from the head down, one resolution at a time (Howard and Ruder, arXiv:1801.06146)
	Full     Kind = "full"     // train all layers, those below the head at a lower rate
	Scratch  Kind = "scratch"  // random weights, for comparison
	Auto     Kind = "auto"     // one of these, by the data
)

// Usage lists the strategies as the user writes them.
const Usage = "head, features, last:N, from:LAYER, gradual, full, scratch or auto"

// Strategy says which layers are trained.
type Strategy struct {
	Kind  Kind
	N     int    // of last:N
	Layer string // of from:LAYER
}

// Parse reads a strategy. The error wraps ErrStrategy.
func Parse(text string) (Strategy, error) {
	kind, arg, has := strings.Cut(text, ":")
	s := Strategy{Kind: Kind(kind)}
	switch s.Kind {
	case Head, Features, Gradual, Full, Scratch, Auto:
		if !has {
			return s, nil
		}
	case Last:
		if n, err := strconv.Atoi(arg); err == nil && n >= 1 {
			s.N = n
			return s, nil
		}
	case From:
		if arg != "" {
			s.Layer = arg
			return s, nil
		}
	}
	return s, fmt.Errorf("%w %q, wanted %s", ErrStrategy, text, Usage)
}

func (s Strategy) String() string {
	switch s.Kind {
	case Last:
		return fmt.Sprintf("last:%d", s.N)
	case From:
		return "from:" + s.Layer
	}
	return string(s.Kind)
}

// Pretrained reports whether the strategy means anything without pretrained weights.
func (s Strategy) Pretrained() bool { return s.Kind != Scratch }

// Body reports whether layers below the head are trained.
func (s Strategy) Body() bool {
	return s.Kind != Head && s.Kind != Features && s != Strategy{Kind: Last, N: 1}
}

// Plan is a strategy for a network: the stage of the training in which each layer begins to be trained.
type Plan struct {
	Layers []Layer
	Stage  []int          // by layer; graph.Never for those that stay frozen
	layer  map[string]int // by the names of their nodes, which a tail shares
}

// Plan applies the strategy to a network. With headFirst there is a stage for the head alone before any other, which gradual has anyway.
// The error wraps ErrStrategy.
func (s Strategy) Plan(g *graph.Graph, headFirst bool) (*Plan, error) {
	p := &Plan{Layers: Layers(g), layer: map[string]int{}}
	for i, l := range p.Layers {
		for _, n := range l.Nodes {
			p.layer[n.Name] = i
		}
	}
	n := len(p.Layers)
	if n == 0 {
		return nil, fmt.Errorf("%w %v: the network has no layers to train", ErrStrategy, s)
	}
	first := 0 // of the layers that are trained
	switch s.Kind {
	case Head, Features:
		first = n - 1
	case Last:
		if s.N > n {
			return nil, fmt.Errorf("%w %v: the network has %d layers: %s", ErrStrategy, s, n, p.names())
		}
		first = n - s.N
	case From:
		for first < n && !p.Layers[first].is(s.Layer) {
			first++
		}
		if first == n {
			return nil, fmt.Errorf("%w %v: there is no such layer; wanted one of %s", ErrStrategy, s, p.names())
		}
	case Gradual, Full, Scratch:
	default:
		return nil, fmt.Errorf("%w %v: it must be decided first", ErrStrategy, s)
	}
	p.Stage = make([]int, n)
	for i := range p.Stage {
		switch {
		case i < first:
			p.Stage[i] = graph.Never
		case headFirst && i < n-1:
			p.Stage[i] = 1
		}
	}
	if s.Kind == Gradual {
		for stage, group := range groups(p.Layers) {
			for _, i := range group {
				p.Stage[i] = stage
			}
		}
	}
	return p, nil
}

func (p *Plan) names() string {
	names := make([]string, len(p.Layers))
	for i, l := range p.Layers {
		names[i] = l.Name
	}
	return strings.Join(names, ", ")
}

// Thaw is the plan for graph.Graph.Thaw.
func (p *Plan) Thaw(param *graph.Param) int { return p.Stage[p.layer[param.Node().Name]] }

// Scale is the factor of a parameter's learning rate: 1 in the head, mult below it, and decay once more for every layer that lies
// between (the layer-wise decay of timm, after Clark et al., arXiv:2003.10555).
func (p *Plan) Scale(param *graph.Param, mult, decay float64) float64 {
	below := len(p.Layers) - 1 - p.layer[param.Node().Name]
	if below == 0 {
		return 1
	}
	return mult * math.Pow(decay, float64(below))
}

// trains reports whether a stage trains layer i.
func (p *Plan) trains(stage, i int) bool { return p.Stage[i] != graph.Never && p.Stage[i] <= stage }

// Trained names the layers that a stage trains, the first and the last of each run.
func (p *Plan) Trained(stage int) string {
	var runs []string
	for i := 0; i < len(p.Layers); i++ {
		j := i
		for j < len(p.Layers) && p.trains(stage, j) {
			j++
		}
		switch {
		case j == i+1:
			runs = append(runs, p.Layers[i].Name)
		case j > i:
			runs = append(runs, p.Layers[i].Name+" to "+p.Layers[j-1].Name)
		}
		i = max(i, j-1)
	}
	return strings.Join(runs, ", ")
}

// Frozen names the layers that are frozen in a stage.
func (p *Plan) Frozen(stage int) string {
	var names []string
	for i, l := range p.Layers {
		if !p.trains(stage, i) {
			names = append(names, l.Name)
		}
	}
	return strings.Join(names, ", ")
}

// FrozenNorms counts the batch norms that are frozen in a stage: they normalise by their stored statistics, in training too.
func (p *Plan) FrozenNorms(stage int) int {
	frozen := 0
	for i, l := range p.Layers {
		for _, n := range l.Nodes {
			if _, ok := n.Op.(graph.BatchNorm); ok && !p.trains(stage, i) {
				frozen++
			}
		}
	}
	return frozen
}
