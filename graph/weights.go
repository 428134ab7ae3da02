package graph

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// Weights holds the parameters of a graph on a device, in one slab: trained parameters first, then frozen ones, then running statistics. The
// slabs of gradients and optimiser state have the layout of the first part, so that an optimiser step is one call. Of the trained ones, those
// that thaw first come first: so what is trained in a stage is a prefix too. Several programs may share one Weights.
type Weights struct {
	slabLayout
	g    *Graph
	dev  device.Device
	slab device.Mem

	changes int // counts what may have changed the values, for programs that derive something from them

	halves device.Mem // a copy of slab in bfloat16, which programs under BF16 derive; absent if there are none
}

// slabLayout is the place of every parameter in a slab. It depends on which parameters are frozen, and until when.
type slabLayout struct {
	off     []int // first element, by Param.index
	upTo    []int // elements of the part that is trained in a stage, by stage
	trained int   // the same for the last stage
	total   int   // elements
}

// slabAlign is the alignment of a parameter in elements.
const slabAlign = device.Align / 4

func (g *Graph) slabLayout() slabLayout {
	l := slabLayout{off: make([]int, len(g.params))}
	place := func(want func(*Param) bool) {
		for i, p := range g.params {
			if want(p) {
				l.off[i] = l.total
				l.total += (p.Len() + slabAlign - 1) / slabAlign * slabAlign
			}
		}
	}
	for stage := range g.Stages() {
		place(func(p *Param) bool { return !p.Stat && p.thaw == stage })
		l.upTo = append(l.upTo, l.total)
	}
	l.trained = l.total
	place(func(p *Param) bool { return !p.Stat && p.thaw == Never })
	place(func(p *Param) bool { return p.Stat })
	return l
}

// of returns p's part of a slab.
func (l *slabLayout) of(p *Param, slab device.Mem) device.Mem {
	return slab.Slice(4*int64(l.off[p.index]), 4*int64(p.Len()))
}

// NewWeights allocates the parameters of g, filled with zeros. It fixes which parameters are frozen: after a later Freeze, new weights are
// needed.
func NewWeights(g *Graph, dev device.Device) (*Weights, error) {
	if g.err != nil {
		return nil, g.err
	}
	w := &Weights{slabLayout: g.slabLayout(), g: g, dev: dev}
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
		if err := w.Draw(p, seed); err != nil {
			return err
		}
	}
	return nil
}

// Draw draws one parameter, as Init does.
func (w *Weights) Draw(p *Param, seed uint64) error {
	buf := make([]float32, p.Len())
	p.initial(seed, buf)
	return w.Set(p, buf)
}

func (w *Weights) mem(p *Param) device.Mem { return w.of(p, w.slab) }

// half returns p's part of the copy in bfloat16.
func (w *Weights) half(p *Param) device.Mem {
	size := device.BFloat16.Size()
	return w.halves.Slice(size*int64(w.off[p.index]), size*int64(p.Len()))
}

// prepare allocates the copy of the weights that programs of a precision want. Programs share it, for each makes it anew when
// the weights have changed.
func (w *Weights) prepare(p device.Precision) error {
	if p.Type() == device.Float32 || !w.halves.IsZero() {
		return nil
	}
	m, err := w.dev.Alloc(p.Type().Size() * int64(max(w.total, 1)))
	if err != nil {
		return fmt.Errorf("weights in %v: %w", p.Type(), err)
	}
	w.halves = m
	return nil
}

// owns fails if p is a parameter of another graph, or n is not its number of elements.
func (w *Weights) owns(p *Param, n int) error {
	if p.index >= len(w.g.params) || w.g.params[p.index] != p {
		return fmt.Errorf("graph: %s is a parameter of another graph", p.Name)
	}
	if n != p.Len() {
		return fmt.Errorf("graph: %d values for %s, wanted %d", n, p.Name, p.Len())
	}
	return nil
}

// Set copies src, in the order of p.Dims, to the device.
func (w *Weights) Set(p *Param, src []float32) error {
	if err := w.owns(p, len(src)); err != nil {
		return err
	}
	return w.SetPart(p, 0, src)
}

// SetPart copies src to the elements of p from first on, so that large weights need not be in the host's memory as a whole.
func (w *Weights) SetPart(p *Param, first int, src []float32) error {
	if err := w.owns(p, p.Len()); err != nil {
		return err
	}
	mem, err := part(p, w.mem(p), first, len(src))
	if err != nil {
		return err
	}
	w.changes++
	return w.dev.Upload(mem, device.Bytes(src))
}

// part returns n elements of a parameter's memory from first on.
func part(p *Param, mem device.Mem, first, n int) (device.Mem, error) {
	if first < 0 || first > p.Len() || n > p.Len()-first {
		return device.Mem{}, fmt.Errorf("graph: values %d to %d for %s, wanted some of %d", first, first+n, p.Name, p.Len())
	}
	return mem.Slice(4*int64(first), 4*int64(n)), nil
}

// Get copies p from the device to dst, in the order of p.Dims.
func (w *Weights) Get(p *Param, dst []float32) error {
	if err := w.owns(p, len(dst)); err != nil {
		return err
	}
	return w.dev.Download(device.Bytes(dst), w.mem(p))
}

// Graph returns the graph that the weights belong to.
func (w *Weights) Graph() *Graph { return w.g }
