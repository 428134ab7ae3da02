package graph

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cnnctl/cnnctl/device"
)

// A drawer is an op that draws random numbers in training.
type drawer interface{ draws() bool }

// Cut returns the last layer up to which a training computes the same from an image each time: nothing at or before it is trained in any
// stage, or drawn, and everything after it sees the image through it alone. Its output can be computed once and kept. It is the input if
// there is no such layer.
func (g *Graph) Cut() *Node {
	cut := g.nodes[0]
	for _, n := range g.nodes[1:] {
		if d, ok := n.Op.(drawer); ok && d.draws() {
			break
		}
		if slices.ContainsFunc(n.Params, func(p *Param) bool { return !p.Stat && p.thaw != Never }) {
			break
		}
		if g.divides(n) {
			cut = n
		}
	}
	return cut
}

// divides reports whether no layer after n reads one before it.
func (g *Graph) divides(n *Node) bool {
	for _, after := range g.nodes[n.index+1:] {
		for _, in := range after.In {
			if in.index < n.index {
				return false
			}
		}
	}
	return true
}

// Tail returns the layers after n as a network of its own, whose input is the output of n. Names, frozen parameters and stages are those of g,
// and so are the masks of dropout: trained on the outputs of n, it takes the steps that g would take on the images.
func (g *Graph) Tail(n *Node) (*Graph, error) {
	if g.err != nil {
		return nil, g.err
	}
	if n == g.Output() || !g.divides(n) {
		return nil, fmt.Errorf("graph: the layers after %s are no network of their own", n.Name)
	}
	t := New(n.Out)
	copies := map[*Node]*Node{n: t.Input()}
	for _, from := range g.nodes[n.index+1:] {
		in := make([]*Node, len(from.In))
		for i, p := range from.In {
			in[i] = copies[p]
		}
		to := t.Add(from.Name, from.Op, in...)
		copies[from], to.layer = to, from.layer
		for i, p := range to.Params {
			p.thaw = from.Params[i].thaw
		}
	}
	t.Enter(g.stage)
	return t, t.err
}

// above returns for every node whether n's output depends on it, n itself included. A nil n stands for the whole network.
func (g *Graph) above(n *Node) []bool {
	part := make([]bool, len(g.nodes))
	for i := range part {
		part[i] = n == nil
	}
	if n == nil {
		return part
	}
	part[n.index] = true
	for i := n.index; i > 0; i-- {
		for _, in := range g.nodes[i].In {
			part[in.index] = part[in.index] || part[i]
		}
	}
	return part
}

// Features computes the output of one layer, as in evaluation.
type Features struct{ program }

// PlanFeatures is PlanTraining for CompileFeatures.
func PlanFeatures(g *Graph, dev device.Device, n *Node, c InferConfig) (*Plan, error) {
	cfg := c.config()
	cfg.until = n
	return plan(g, dev, cfg)
}

// CompileFeatures binds the part of g that the output of n depends on, with w.
func CompileFeatures(g *Graph, w *Weights, n *Node, c InferConfig) (*Features, error) {
	if n == nil || n.Op == nil || n.index >= len(g.nodes) || g.nodes[n.index] != n {
		return nil, errors.New("graph: features were asked for of something that is no layer of the graph")
	}
	cfg := c.config()
	cfg.until = n
	p, err := compileForward(g, w, cfg)
	if err != nil {
		return nil, err
	}
	return &Features{p}, nil
}

// Size returns the number of values for one sample.
func (f *Features) Size() int { return int(f.out.Floats()) / f.batch }

// Run computes the layer's output (N, H, W, C) of a batch x (N, H, W, C).
func (f *Features) Run(x, out []float32) error {
	if len(x) != f.batch*f.in || len(out) != f.batch*f.Size() {
		return fmt.Errorf("graph: %d values for %d of an output, wanted %d for %d", len(x), len(out), f.batch*f.in, f.batch*f.Size())
	}
	if err := f.dev.Upload(f.x, device.Bytes(x)); err != nil {
		return err
	}
	if err := f.run(); err != nil {
		return err
	}
	return f.dev.Download(device.Bytes(out), f.out)
}
