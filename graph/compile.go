package graph

import (
	"errors"
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// config is what compilation needs to know beside the graph.
type config struct {
	batch     int
	precision device.Precision
	train     bool
	seed      uint64
	smoothing float32
	opt       Optimizer
	group     func(*Param) Group
	maxNorm   float32
	ema       bool
	pixels    []float32
	until     *Node // compute this layer's output and nothing else; nil: the whole network and the loss
}

// TrainConfig says how a graph is trained.
type TrainConfig struct {
	Batch          int
	Precision      device.Precision
	Seed           uint64 // of the dropout masks
	LabelSmoothing float32
	Optimizer      Optimizer
	Group          func(*Param) Group // how each parameter is trained; nil trains all alike, without decay
	ClipNorm       float32            // longest gradient; 0 means any
	EMA            bool               // keep an exponential moving average of the weights and running statistics
	Pixels         []float32          // (C, 256), what each byte becomes: batches come as bytes, by FeedPixels; nil: as numbers, by Feed
}

func (c TrainConfig) config() *config {
	if c.Group == nil {
		c.Group = func(*Param) Group { return Group{LRScale: 1} }
	}
	return &config{batch: c.Batch, precision: c.Precision, train: true, seed: c.Seed, smoothing: c.LabelSmoothing, opt: c.Optimizer, group: c.Group,
		maxNorm: c.ClipNorm, ema: c.EMA, pixels: c.Pixels}
}

// InferConfig says how a graph is evaluated.
type InferConfig struct {
	Batch     int
	Precision device.Precision
}

func (c InferConfig) config() *config { return &config{batch: c.Batch, precision: c.Precision} }

// Memory is what a program needs, in bytes.
type Memory struct {
	// Weights are the parameters and, under BF16, their copy in bfloat16.
	Weights   int64 `json:"weights"`
	Gradients int64 `json:"gradients"`
	Optimizer int64 `json:"optimizer"`
	EMA       int64 `json:"ema"` // like Weights, the copy included, with which it is evaluated
	// Activations are outputs, their gradients and saved tensors, after reuse; the batch itself included, and in evaluation weights with a batch norm in
	// them.
	Activations int64 `json:"activations"`
	// Workspace is what the kernels' scratch memory adds to the peak.
	Workspace int64 `json:"workspace"`
	// Exchange is what the host writes and reads while steps run: the next batch, and the losses and counters of the last steps.
	Exchange int64 `json:"exchange"`
}

// Total returns the sum.
func (m Memory) Total() int64 {
	return m.Weights + m.Gradients + m.Optimizer + m.EMA + m.Activations + m.Workspace + m.Exchange
}

// Plan is the result of compiling without a device's memory: what would be allocated, and what each layer would do.
type Plan struct {
	Memory Memory
	Arena  int64 // bytes of the activation arena
	Peak   int64 // largest sum of bytes alive at one time: no arena can be smaller
	costs  map[*Node]device.Cost
}

// Forward returns the work of n's forward pass for the whole batch. A layer that was fused into the one before it costs nothing.
func (p *Plan) Forward(n *Node) device.Cost { return p.costs[n] }

// PlanTraining and PlanInference plan a program for dev without allocating anything on it.
func PlanTraining(g *Graph, dev device.Device, c TrainConfig) (*Plan, error) {
	return plan(g, dev, c.config())
}

// PlanInference is PlanTraining for evaluation.
func PlanInference(g *Graph, dev device.Device, c InferConfig) (*Plan, error) {
	return plan(g, dev, c.config())
}

func plan(g *Graph, dev device.Device, cfg *config) (*Plan, error) {
	e, p, err := dryRun(g, dev, cfg)
	if err != nil {
		return nil, err
	}
	p.costs = map[*Node]device.Cost{}
	for _, c := range e.calls {
		if c.pass == forward && c.node != nil {
			p.costs[c.node] = p.costs[c.node].Plus(c.call.Cost())
		}
	}
	return p, nil
}

// dryRun emits the program with place holders and lays out its memory.
func dryRun(g *Graph, dev device.Device, cfg *config) (*Emit, *Plan, error) {
	if g.err != nil {
		return nil, nil, g.err
	}
	if cfg.batch < 1 {
		return nil, nil, fmt.Errorf("batch size %d, wanted at least 1", cfg.batch)
	}
	if cfg.train && cfg.opt == nil {
		return nil, nil, errors.New("training without an optimizer")
	}
	if err := device.CheckPrecision(dev, cfg.precision); err != nil {
		return nil, nil, err
	}
	slabs := g.slabLayout()
	e := &Emit{g: g, cfg: cfg, dev: dev, bufs: map[bufKey]*buffer{}}
	e.weights, e.train = imagined(slabs, cfg)
	e.resolve()
	e.emit()
	if e.err != nil {
		return nil, nil, e.err
	}
	unite(e.order)
	e.grouped = e.groups()
	narrow := widen(e.order, e.grouped)
	defer narrow()
	p := &Plan{}
	p.Arena, p.Peak = layout(e.order, len(e.calls))
	p.Memory.Weights = 4 * int64(slabs.total)
	if e.Type() == device.BFloat16 {
		p.Memory.Weights += e.Type().Size() * int64(slabs.total)
	}
	if cfg.train {
		p.Memory.Exchange = resultBytes + intakeBytes(g, dev, cfg)
		trained := slabs.upTo[g.stage]
		p.Memory.Gradients = 4 * int64(trained)
		p.Memory.Optimizer = 4 * int64(trained) * int64(len(cfg.opt.States()))
		if cfg.ema {
			p.Memory.EMA = p.Memory.Weights
		}
	}
	p.Memory.Activations = min(peakWithoutWork(e), p.Arena)
	p.Memory.Workspace = p.Arena - p.Memory.Activations
	return e, p, nil
}

// imagined returns slabs of the right sizes that no device has.
func imagined(l slabLayout, cfg *config) (*Weights, *training) {
	slab := func(n int) device.Mem { return device.Mem{Arena: 1, Len: 4 * int64(n)} }
	w := &Weights{slabLayout: l, slab: slab(l.total), halves: device.Mem{Arena: 1, Len: device.BFloat16.Size() * int64(l.total)}}
	if !cfg.train {
		return w, nil
	}
	tr := &training{grad: slab(l.trained), results: slab(resultBytes / 4), ema: &Weights{slab: slab(l.total)}}
	for range cfg.opt.States() {
		tr.state = append(tr.state, slab(l.trained))
	}
	return w, tr
}

// peakWithoutWork is the peak of everything but scratch memory.
func peakWithoutWork(e *Emit) int64 {
	work := map[*buffer]bool{}
	for _, c := range e.calls {
		if c.work != nil {
			work[c.work] = true
		}
	}
	var rest []*buffer
	for _, b := range e.order {
		if b.into == nil && !work[b] {
			rest = append(rest, b)
		}
	}
	peak, _ := peakLive(rest, len(e.calls))
	return peak
}

// emit lays down the whole program in order.
func (e *Emit) emit() {
	e.written = map[bufKey]bool{}
	e.pass = forward
	e.node = nil
	e.operands()
	for _, n := range e.g.nodes[1:] {
		e.node = n
		if e.part[n.index] && e.computes(n) {
			n.Op.Forward(e, n)
		}
	}
	e.node = nil
	if e.cfg.until != nil {
		e.result(e.cfg.until)
		return
	}
	e.loss()
	if !e.cfg.train {
		return
	}
	e.pass = backward
	for i := len(e.g.nodes) - 1; i > 0; i-- {
		n := e.g.nodes[i]
		if e.needs[i] && e.written[bufKey{bufGrad, e.root[i], 0}] {
			if !e.passes(n) {
				e.node = n
				n.Op.Backward(e, n)
			}
		}
	}
	e.node, e.pass = nil, update
	e.update()
}

// operands emits what comes before the first layer. Under BF16 the batch and the weights are converted to what products read; parameters
// stay float32 for the optimiser.
func (e *Emit) operands() {
	if e.Type() == device.Float32 {
		e.batch() // there is a batch even if no layer reads it
		e.touched = nil
		return
	}
	e.Do(device.Cast{N: e.cfg.batch * e.g.Input().Out.Size(), To: e.Type(), X: e.batch(), Y: e.Out(e.g.Input())})
	if n := e.weights.total; n > 0 {
		e.Derive(device.Cast{N: n, To: e.Type(), X: e.weights.slab.Slice(0, 4*int64(n)), Y: e.weights.halves})
	}
}

// result makes the output of n available to the host, in float32: see program.out.
func (e *Emit) result(n *Node) {
	if e.Type() == device.Float32 {
		if b := e.bufs[bufKey{bufOut, e.root[n.index], 0}]; b != nil {
			b.pinned = true // without a buffer of its own it is the input, which is pinned anyway
		}
		return
	}
	size := e.cfg.batch * n.Out.Size()
	e.Do(device.Cast{N: size, From: e.Type(), X: e.Out(n), Y: e.use(bufKey{kind: bufResult}, size)})
}

// loss emits the loss, which in training also starts the backward pass.
func (e *Emit) loss() {
	out := e.g.Output()
	rows, classes := e.cfg.batch, out.Out.Size()
	c := device.SoftmaxCrossEntropy{Rows: rows, Classes: classes, Type: e.Type(), Smoothing: e.cfg.smoothing,
		Logits: e.Out(out), Targets: e.use(bufKey{kind: bufTarget}, rows*classes), Stats: e.use(bufKey{kind: bufStats}, device.StatsWords)}
	if !e.cfg.train {
		e.Do(c)
		e.result(out)
		return
	}
	if !e.needs[out.index] {
		e.touched = nil
		e.err = errors.New("nothing to train: every parameter is frozen")
		return
	}
	e.written[bufKey{bufGrad, e.root[out.index], 0}] = true
	c.DLogits = e.Grad(out)
	e.DoInPlace(c, c.DLogits, c.Logits)
}

// update emits what follows the backward pass: the gradient's norm, the optimiser, the moving average.
func (e *Emit) update() {
	n := e.weights.upTo[e.g.stage]
	part := func(slab device.Mem) device.Mem { return slab.Slice(0, 4*int64(n)) }
	u := device.Update{N: n, MaxNorm: e.cfg.maxNorm, Segments: segments(&e.weights.slabLayout, e.g.params, e.cfg.group), W: part(e.weights.slab), G: part(e.train.grad)}
	u.Norm = e.use(bufKey{kind: bufNorm}, 1)
	e.Do(device.Norm2{N: n, X: u.G, Y: u.Norm})
	u.Norm = e.use(bufKey{kind: bufNorm}, 1)
	e.Do(device.Record{Slots: resultSlots, Stats: e.use(bufKey{kind: bufStats}, device.StatsWords), Norm: u.Norm, Hyper: e.Hyper(),
		Halt: e.train.halt(), Log: e.train.log()})
	u.Norm = e.use(bufKey{kind: bufNorm}, 1)
	u.Hyper = e.Hyper()
	e.Do(e.cfg.opt.Call(u, e.train.state))
	if e.cfg.ema {
		e.Do(device.EMA{N: e.weights.total, E: e.train.ema.slab, W: e.weights.slab, Hyper: e.Hyper()})
	}
}
