package graph

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// Conv2D is a convolution (cross-correlation, as everywhere in deep learning) with a filter of (Filters, R, S, C/Groups). Its output
// has floor((n + padding - dilation·(f-1) - 1)/stride) + 1 pixels along an axis of n pixels.
type Conv2D struct {
	Filters int
	Window
	Groups   int  // 0 means 1; the number of input channels makes it depthwise
	NoBias   bool // as before a batch norm
	Init     Init // of the weight; default UniformFanIn
	BiasInit Init // default: uniform like the weight
}

func (c Conv2D) String() string {
	s := fmt.Sprintf("conv %d@%s", c.Filters, c.describe([2]int{1, 1}))
	if c.Groups > 1 {
		s += fmt.Sprintf(" groups %d", c.Groups)
	}
	return s
}

func (c Conv2D) groups() int { return max(c.Groups, 1) }

// Infer implements Op.
func (c Conv2D) Infer(in []Shape) (Sig, error) {
	g := c.groups()
	if c.Filters < 1 || c.Filters%g != 0 || in[0].C%g != 0 {
		return Sig{}, fmt.Errorf("%w: %d filters on %d channels, wanted positive multiples of %d groups", ErrShape, c.Filters, in[0].C, g)
	}
	w, _, err := c.resolve([2]int{1, 1}).place(in[0])
	if err != nil {
		return Sig{}, err
	}
	taps := w.R * w.S
	weight := &Param{Name: "weight", Dims: []int{c.Filters, w.R, w.S, w.C / g},
		Perm: []int{0, 3, 1, 2}, Export: []int{c.Filters, w.C / g, w.R, w.S},
		Init: c.Init.or(UniformFanIn()), FanIn: taps * w.C / g, FanOut: taps * c.Filters, Decay: true}
	sig := Sig{Out: Shape{H: w.P, W: w.Q, C: c.Filters}, Params: []*Param{weight}}
	if !c.NoBias {
		bias := vector("bias", c.Filters, c.BiasInit.or(UniformFanIn()))
		bias.FanIn, bias.FanOut = weight.FanIn, weight.FanOut
		sig.Params = append(sig.Params, bias)
	}
	return sig, nil
}

// Geometry returns the window and the padding of c on images of shape in, which Infer has accepted.
func (c Conv2D) Geometry(in Shape) (device.Window, Padding) {
	w, p, _ := c.resolve([2]int{1, 1}).place(in)
	return w, p
}

func (c Conv2D) geometry(e *Emit, n *Node) device.Conv {
	w, _ := c.Geometry(n.In[0].Out)
	w.N = e.Batch()
	return device.Conv{Window: w, K: c.Filters, Groups: c.groups(), Precision: e.Precision()}
}

func (Conv2D) fuses() {}

// Forward implements Op.
func (c Conv2D) Forward(e *Emit, n *Node) {
	f := device.ConvForward{Conv: c.geometry(e, n), X: e.In(n, 0), Y: e.Out(n)}
	f.Weight, f.Epilogue = e.Product(n)
	e.Do(f)
}

// Backward implements Op.
func (c Conv2D) Backward(e *Emit, n *Node) {
	g := c.geometry(e, n)
	if !c.NoBias && e.Trains(n, 1) {
		e.Do(device.BiasGrad{Rows: g.N * g.P * g.Q, Cols: g.K, Type: e.Type(), DY: e.Grad(n), DB: e.ParamGrad(n, 1)})
	}
	if e.Trains(n, 0) {
		e.Do(device.ConvBackwardFilter{Conv: g, X: e.In(n, 0), DY: e.Grad(n), DWeight: e.ParamGrad(n, 0)})
	}
	if e.NeedsGradIn(n, 0) {
		dx, acc := e.GradIn(n, 0)
		e.Do(device.ConvBackwardData{Conv: g, DY: e.Grad(n), Weight: e.Weight(n, 0), DX: dx, Accumulate: acc})
	}
}
