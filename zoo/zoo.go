// Package zoo holds the networks that cnnctl knows, as tables that read like those of the papers they come from.
//
// Tensor names and shapes are torchvision's wherever torchvision has the model, so that weights move between the two without a mapping.
package zoo

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cnnctl/cnnctl/graph"
)

// ErrUnknown marks the name of a model that is not in the zoo.
var ErrUnknown = errors.New("unknown model")

// Options changes a model in the ways that its table leaves open. The zero Options is the published model.
type Options struct {
	Dropout *float64 // replaces the probability of every dropout layer; nil keeps the model's own
}

// dropout returns a dropout layer with the model's own probability, unless the options give another.
func (o Options) dropout(own float32) graph.Op {
	if o.Dropout != nil {
		own = float32(*o.Dropout)
	}
	return graph.Dropout{P: own}
}

// Info describes a model.
type Info struct {
	Name        string
	Paper       string // authors, title, year
	Description string
	Input       graph.Shape // of the published model
	Classes     int         // likewise
	Params      int         // of the published model, running statistics not counted
	Defaults    Defaults
}

// A model is an entry of the zoo.
type model struct {
	Info
	build func(g *graph.Graph, classes int, opt Options)
}

// models is the zoo in the order of publication.
var models = slices.Concat(lenets, alexnets, vggs, resnets, cifarResNets, squeezenets, mobilenets)

// Models describes all models, in the order of publication.
func Models() []Info {
	infos := make([]Info, len(models))
	for i, m := range models {
		infos[i] = m.info()
	}
	return infos
}

// Lookup describes one model. The error wraps ErrUnknown.
func Lookup(name string) (Info, error) {
	m, err := find(name)
	if err != nil {
		return Info{}, err
	}
	return m.info(), nil
}

// Build returns the network of that name for images of shape in. The error wraps ErrUnknown for a name that is not in the zoo, and
// graph.ErrShape for images that are too small.
func Build(name string, in graph.Shape, classes int, opt Options) (*graph.Graph, error) {
	m, err := find(name)
	if err != nil {
		return nil, err
	}
	if classes < 1 {
		return nil, fmt.Errorf("%s with %d classes, wanted at least 1", name, classes)
	}
	if p := opt.Dropout; p != nil && !(*p >= 0 && *p < 1) {
		return nil, fmt.Errorf("%s with dropout %v, wanted a probability of at least 0 and below 1", name, *p)
	}
	g := m.graph(in, classes, opt)
	if err := g.Err(); err != nil {
		if n := m.smallest(in.C); errors.Is(err, graph.ErrShape) && n > 0 && (in.H < n || in.W < n) {
			err = fmt.Errorf("%w; the smallest square image that %s takes is %dx%d: ask for a larger image size", err, name, n, n)
		}
		return nil, fmt.Errorf("%s on images of %v: %w", name, in, err)
	}
	return g, nil
}

// SmallestSize returns the side of the smallest square image of that many channels that a model takes. The error wraps ErrUnknown, or
// graph.ErrShape if there is no such size.
func SmallestSize(name string, channels int) (int, error) {
	m, err := find(name)
	if err != nil {
		return 0, err
	}
	n := m.smallest(channels)
	if n == 0 {
		return 0, fmt.Errorf("%s on images of %d channels: %w", name, channels, graph.ErrShape)
	}
	return n, nil
}

func (m model) graph(in graph.Shape, classes int, opt Options) *graph.Graph {
	g := graph.New(in)
	m.build(g, classes, opt)
	return g
}

// smallest looks for the smallest square image by trying, since a graph without memory costs next to nothing. No table here needs more
// than its own published size; 0 means that none up to there fits.
func (m model) smallest(channels int) int {
	for n := 1; n <= m.Input.H; n++ {
		if m.graph(graph.Shape{H: n, W: n, C: channels}, 1, Options{}).Err() == nil {
			return n
		}
	}
	return 0
}

func (m model) info() Info {
	i := m.Info
	i.Params, _ = m.graph(i.Input, i.Classes, Options{}).NumParams()
	return i
}
