package graph

import (
	"math"
	"testing"

	"github.com/cnnctl/cnnctl/cpu/ref"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/philox"
)

// source is a layer for tests: a parameter as large as a whole batch of activations. The gradient of the parameter is that of the
// activations, which finite differences can then reach. It ignores its input.
type source struct {
	out   Shape
	batch int
	std   float64
}

func (source) String() string { return "source" }

func (s source) Infer([]Shape) (Sig, error) {
	dims := []int{s.batch, s.out.H, s.out.W, s.out.C}
	return Sig{Out: s.out, Params: []*Param{{Name: "value", Dims: dims, Export: dims, Init: Normal(s.std)}}}, nil
}

func (s source) copy(src, dst device.Mem) device.Copy {
	n := s.batch * s.out.Size()
	return device.Copy{Rows: 1, Cols: n, SrcStride: n, DstStride: n, Src: src, Dst: dst}
}

func (s source) Forward(e *Emit, n *Node) { e.Do(s.copy(e.Param(n, 0), e.Out(n))) }

func (s source) Backward(e *Emit, n *Node) {
	if e.Trains(n, 0) {
		e.Do(s.copy(e.Grad(n), e.ParamGrad(n, 0)))
	}
}

// unfused hides that an op could apply the activation that follows it.
type unfused struct{ Op }

// rig is a graph on the float64 oracle with random weights and a random batch.
type rig struct {
	t   *testing.T
	dev *ref.Device
	g   *Graph
	w   *Weights
	tr  *Training
	x   []float32
	y   []float32 // targets
}

// newRig compiles g for training without changing weights: the learning rate of its steps is 0.
func newRig(t *testing.T, g *Graph, c TrainConfig) *rig {
	t.Helper()
	if c.Optimizer == nil {
		c.Optimizer = SGD{}
	}
	r := &rig{t: t, dev: ref.New(), g: g}
	r.w = randomWeights(t, g, r.dev)
	r.w.dev = greedy{r.dev}
	tr, err := CompileTraining(g, r.w, c)
	if err != nil {
		t.Fatal(err)
	}
	r.tr = tr
	r.x, r.y = randomBatch(g, c.Batch)
	return r
}

// randomWeights fills parameters with normal values, running variances with positive ones.
func randomWeights(t *testing.T, g *Graph, dev *ref.Device) *Weights {
	t.Helper()
	w, err := NewWeights(g, dev)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range g.Params() {
		s := philox.New(1, philox.Test, i, 0)
		for k := range dev.Float64s(w.mem(p)) {
			v := s.Normal()
			switch {
			case p.Stat:
				v = 0.5 + s.Float64()
			case p.Init.kind == initNormal:
				v *= p.Init.value
			}
			dev.Float64s(w.mem(p))[k] = v
		}
	}
	return w
}

// randomBatch returns normal images and random target distributions.
func randomBatch(g *Graph, batch int) (x, y []float32) {
	s := philox.New(2, philox.Test, 0, 0)
	x = make([]float32, batch*g.Input().Out.Size())
	for i := range x {
		x[i] = float32(s.Normal())
	}
	classes := g.Output().Out.Size()
	y = make([]float32, batch*classes)
	for i := range batch {
		for range 64 { // sixty-fourths, so that a row sums to 1 exactly: p - t is the gradient only then
			y[i*classes+s.IntN(classes)] += 1.0 / 64
		}
	}
	return x, y
}

// step runs one step without changing weights and returns the loss at full precision.
func (r *rig) step() float64 {
	r.t.Helper()
	if err := r.tr.Step(r.x, r.y, 0, 0, 0); err != nil {
		r.t.Fatal(err)
	}
	return r.dev.Float64s(r.tr.stats)[0]
}

// gradient returns the gradient of p at full precision.
func (r *rig) gradient(p *Param) []float64 { return r.dev.Float64s(r.w.of(p, r.tr.grad)) }

// check compares the gradient of every trained parameter with central differences of the loss.
func (r *rig) check() {
	r.t.Helper()
	const (
		h    = 1e-5 // the error of a central difference is of the order h² + 1e-16/h
		tol  = 1e-7
		most = 50 // elements of one parameter
	)
	r.step()
	grads := map[*Param][]float64{}
	for _, p := range r.g.Params() {
		if p.Trainable() {
			grads[p] = append([]float64(nil), r.gradient(p)...)
		}
	}
	for _, p := range r.g.Params() {
		g, ok := grads[p]
		if !ok {
			continue
		}
		w := r.dev.Float64s(r.w.mem(p))
		every := (len(w) + most - 1) / most
		if every > 1 {
			every |= 1 // odd, so that all channels of an even number get their turn
		}
		largest := 0.0
		for i := 0; i < len(w); i += every {
			w0 := w[i]
			w[i] = w0 + h
			up := r.step()
			w[i] = w0 - h
			down := r.step()
			w[i] = w0
			if want := (up - down) / (2 * h); !(math.Abs(g[i]-want) <= tol*max(1, math.Abs(want))) {
				r.t.Errorf("gradient of %s[%d] is %.10g, finite differences give %.10g", p.Name, i, g[i], want)
			}
			largest = max(largest, math.Abs(g[i]))
		}
		// A bias in front of a batch norm has no influence, and its gradient is rounding errors.
		if largest < 1e-9 && !normalised(r.g, p.Node()) {
			r.t.Errorf("the gradient of %s is zero everywhere: the check shows nothing", p.Name)
		}
	}
}

// normalised reports whether a batch norm that uses the statistics of the batch reads n.
func normalised(g *Graph, n *Node) bool {
	for _, m := range g.Nodes() {
		if b, ok := m.Op.(BatchNorm); ok && m.In[0] == n && !b.Frozen(m) {
			return true
		}
	}
	return false
}
