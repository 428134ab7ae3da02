package graph

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// Weights holds the parameters of a graph on a device, in one slab: trained parameters first, then frozen ones, then running statistics. The
// slabs of gradients and optimiser state have the layout of the first part, so that an optimiser step is one call. Several programs may share
// one Weights.
type Weights struct {
	g       *Graph
	dev     device.Device
	slab    device.Mem
	trained int // elements of the first part
	total   int
}

// slabAlign is the alignment of a parameter in elements.
const slabAlign = device.Align / 4

// assign gives every parameter its place in the slab.
func (g *Graph) assign() (trained, total int) {
	place := func(want func(*Param) bool) {
		for _, p := range g.params {
			if want(p) {
				p.off = total
				total += (p.Len() + slabAlign - 1) / slabAlign * slabAlign
			}
		}
	}
	place((*Param).Trainable)
	trained = total
	place(func(p *Param) bool { return p.Frozen && !p.Stat })
	place(func(p *Param) bool { return p.Stat })
	return trained, total
}

// NewWeights allocates the parameters of g, filled with zeros. It fixes which parameters are frozen: after a later Freeze, new weights are
// needed.
func NewWeights(g *Graph, dev device.Device) (*Weights, error) {
	if g.err != nil {
		return nil, g.err
	}
	w := &Weights{g: g, dev: dev}
	w.trained, w.total = g.assign()
	slab, err := dev.Alloc(4 * int64(max(w.total, 1)))
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	w.slab = slab
	return w, nil
}

// Init draws all parameters from a seed, as their layers say.
func (w *Weights) Init(seed uint64) error {
	for _, p := range w.g.params {
		buf := make([]float32, p.Len())
		p.initial(seed, buf)
		if err := w.Set(p, buf); err != nil {
			return err
		}
	}
	return nil
}

func (w *Weights) mem(p *Param) device.Mem { return p.in(w.slab) }

// in returns p's part of a slab.
func (p *Param) in(slab device.Mem) device.Mem { return slab.Slice(4*int64(p.off), 4*int64(p.Len())) }

// Set copies src, in the order of p.Dims, to the device.
func (w *Weights) Set(p *Param, src []float32) error {
	return w.dev.Upload(w.mem(p), device.Bytes(src))
}

// Get copies p from the device to dst, in the order of p.Dims.
func (w *Weights) Get(p *Param, dst []float32) error {
	return w.dev.Download(device.Bytes(dst), w.mem(p))
}

// Graph returns the graph that the weights belong to.
func (w *Weights) Graph() *Graph { return w.g }
