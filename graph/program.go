package graph

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cnnctl/cnnctl/device"
)

// program is a bound list of steps with its memory.
type program struct {
	dev                device.Device
	plan               *Plan
	weights            *Weights
	precision          device.Precision
	batch, in, classes int           // samples; floats of one input; classes
	steps              []device.Step // of each call
	runs               []device.Step // of each group of calls: what a run consists of
	calls              []callRecord
	replay             device.Step   // all steps at once, or nil
	derive             []device.Step // what depends on the weights alone
	derived            int           // Weights.changes when these steps ran last, or -1
	arena              device.Mem
	x, t, stats        device.Mem
	out                device.Mem // (N, H, W, C) in float32: the output of config.until, or of an evaluation the logits
	norm, hyper        device.Mem // training only
	intake             *intake    // nil: batches go to x and t themselves
	moves              []device.Step
	parts              [3][]byte // here rather than in feed, so that it does not allocate
}

// rehearse is the first emission for given weights.
func rehearse(g *Graph, w *Weights, cfg *config) (*Emit, *Plan, error) {
	if w.g != g {
		return nil, nil, errors.New("graph: the weights belong to another graph")
	}
	first, plan, err := dryRun(g, w.dev, cfg)
	if err != nil {
		return nil, nil, err
	}
	if !slices.Equal(first.weights.off, w.off) {
		return nil, nil, errors.New("graph: parameters were frozen or thawed after the weights were made; make new weights")
	}
	return first, plan, nil
}

// newArena allocates memory for the activations of a program.
func newArena(dev device.Device, bytes int64, batch int) (device.Mem, error) {
	arena, err := dev.Alloc(max(bytes, device.Align))
	if err != nil {
		err = fmt.Errorf("activations of a batch of %d: %w", batch, err)
	}
	return arena, err
}

// bind emits a program for the second time, into memory of at least plan.Arena bytes, where the first emission has left its buffers' offsets.
func bind(first *Emit, plan *Plan, w *Weights, tr *training, arena device.Mem) (program, error) {
	var none program
	g, cfg := first.g, first.cfg
	if err := w.prepare(cfg.precision); err != nil {
		return none, err
	}
	e := &Emit{g: g, cfg: cfg, dev: w.dev, bufs: first.bufs, order: first.order, weights: w, train: tr, arena: arena, second: true,
		root: first.root, host: first.host, fused: first.fused, folded: first.folded, added: first.added, pooled: first.pooled, needs: first.needs, part: first.part,
		grouped: first.grouped}
	e.emit()
	if e.err != nil {
		return none, e.err
	}
	runs, err := e.runs()
	if err != nil {
		return none, err
	}
	last := g.Output()
	if cfg.until != nil {
		last = cfg.until
	}
	at := func(k bufKind) device.Mem {
		if b := e.bufs[bufKey{kind: k}]; b != nil {
			return e.mem(b)
		}
		return device.Mem{}
	}
	p := program{dev: w.dev, plan: plan, weights: w, precision: cfg.precision, batch: cfg.batch, in: g.Input().Out.Size(), classes: g.Output().Out.Size(),
		steps: e.steps, runs: runs, calls: e.calls, derive: e.derived, derived: -1, arena: arena, out: at(bufResult),
		x: at(bufInput), t: at(bufTarget), stats: at(bufStats), norm: at(bufNorm), hyper: at(bufHyper)}
	if p.out.IsZero() && !cfg.train {
		p.out = e.Out(last)
	}
	if tr != nil {
		if err := p.open(tr.intake); err != nil {
			return none, err
		}
	}
	if c, ok := w.dev.(device.Capturer); ok {
		var err error
		if p.replay, err = c.Capture(p.each); err != nil {
			return none, err
		}
	}
	return p, nil
}

// Plan returns the memory plan.
func (p *program) Plan() *Plan { return p.plan }

// Batch returns the number of samples of a step.
func (p *program) Batch() int { return p.batch }

// Device returns the name of the device.
func (p *program) Device() string { return p.dev.Name() }

// run does all steps, after those for weights that have changed.
func (p *program) run() error {
	if p.derived != p.weights.changes {
		for _, s := range p.derive {
			if err := s(); err != nil {
				return err
			}
		}
		p.derived = p.weights.changes
	}
	if p.replay != nil {
		return p.replay()
	}
	return p.each()
}

// each does the groups of steps one by one.
func (p *program) each() error {
	for _, s := range p.runs {
		if err := s(); err != nil {
			return err
		}
	}
	return nil
}

// Inference evaluates batches.
type Inference struct {
	program
	words [device.StatsWords]float32
}

// CompileInference binds g for evaluation with w.
func CompileInference(g *Graph, w *Weights, c InferConfig) (*Inference, error) {
	p, err := compileForward(g, w, c.config())
	if err != nil {
		return nil, err
	}
	return &Inference{program: p}, nil
}

// compileForward binds a program without a backward pass.
func compileForward(g *Graph, w *Weights, cfg *config) (program, error) {
	first, plan, err := rehearse(g, w, cfg)
	if err != nil {
		return program{}, err
	}
	arena, err := newArena(w.dev, plan.Arena, cfg.batch)
	if err != nil {
		return program{}, err
	}
	return bind(first, plan, w, nil, arena)
}

// Run evaluates a batch: x (N, H, W, C), t (N, classes), where a row of zeros in t marks a sample that is there only to fill the batch.
// It writes the logits (N, classes), unless that is nil, and returns loss and counters.
func (f *Inference) Run(x, t, logits []float32) (device.Stats, error) {
	if err := f.feed(x, t); err != nil {
		return device.Stats{}, err
	}
	if err := f.run(); err != nil {
		return device.Stats{}, err
	}
	if logits != nil {
		if err := f.dev.Download(device.Bytes(logits), f.out); err != nil {
			return device.Stats{}, err
		}
	}
	if err := f.dev.Download(device.Bytes(f.words[:]), f.stats); err != nil {
		return device.Stats{}, err
	}
	return decodeStats(f.words), nil
}

func decodeStats(w [device.StatsWords]float32) device.Stats {
	return device.Stats{Loss: w[0], Top1: w[1], Top5: w[2], Rows: w[3]}
}

// training is the memory of a training program beside weights and activations. Slabs have the layout of the trained part of the weights.
type training struct {
	grad    device.Mem
	state   []device.Mem
	ema     *Weights
	results device.Mem
	intake  *intake
}

// Training trains a graph.
type Training struct {
	program
	training
	trained    int // elements of the slabs that the program trains: a prefix
	began      int // updates before those that the optimiser's state comes from
	opt        Optimizer
	hyperWords device.Hyper // here rather than in Step, so that a step does not allocate
	hyperBytes [4 * device.HyperWords]byte
	unread     unread
	words      [resultSlots * device.RecordWords]float32 // results, as read from the device
}

// CompileTraining binds g for training w. With an EMA the average starts as a copy of w, so fill the weights first. Of a training in stages it
// binds the stage that g is in; see CompileStages.
func CompileTraining(g *Graph, w *Weights, c TrainConfig) (*Training, error) {
	trs, err := compileStages(g, w, c, g.stage, g.stage+1)
	if err != nil {
		return nil, err
	}
	return trs[0], nil
}

// newTraining allocates what training programs need beside the weights and the activations, for slabs of the weights' trained part.
func newTraining(g *Graph, w *Weights, c TrainConfig) (*training, error) {
	tr := &training{}
	alloc := func(what string, floats int) (device.Mem, error) {
		m, err := w.dev.Alloc(4 * int64(max(floats, 1)))
		if err != nil {
			err = fmt.Errorf("%s: %w", what, err)
		}
		return m, err
	}
	var err error
	if tr.grad, err = alloc("gradients", w.trained); err != nil {
		return nil, err
	}
	if tr.results, err = alloc("results", resultBytes/4); err != nil {
		return nil, err
	}
	for _, name := range c.Optimizer.States() {
		m, err := alloc("optimizer state "+name, w.trained)
		if err != nil {
			return nil, err
		}
		tr.state = append(tr.state, m)
	}
	if tr.intake, err = newIntake(g, w.dev, c.config()); err != nil {
		return nil, err
	}
	if c.EMA {
		if tr.ema, err = NewWeights(g, w.dev); err != nil {
			return nil, fmt.Errorf("moving average: %w", err)
		}
		for _, p := range g.params {
			buf := make([]float32, p.Len())
			if err := errors.Join(w.Get(p, buf), tr.ema.Set(p, buf)); err != nil {
				return nil, err
			}
		}
	}
	return tr, nil
}

// Step trains on one batch: Feed and Advance.
func (tr *Training) Step(x, t []float32, updates int, lr, emaDecay float32) error {
	if err := tr.Feed(x, t); err != nil {
		return err
	}
	return tr.Advance(updates, lr, emaDecay)
}

// Feed brings the next batch to the device, x (N, H, W, C) and t (N, classes), while the steps that were started may still be at work. The slices
// are the caller's again when it returns.
func (tr *Training) Feed(x, t []float32) error { return tr.feed(x, t) }

// FeedPixels is Feed for a training with TrainConfig.Pixels: pix (N, H, W, C) bytes, up to a whole word, and flip (N), 1 for the images that are to be
// mirrored left to right.
func (tr *Training) FeedPixels(pix []byte, flip []uint32, t []float32) error {
	return tr.feedPixels(pix, flip, t)
}

// Advance starts a step on the batch that was fed last. updates counts the steps before this one, from which dropout and the optimiser's bias
// correction follow; lr is the learning rate and emaDecay the weight of the old average. It does not wait for the device; see Results.
func (tr *Training) Advance(updates int, lr, emaDecay float32) error {
	if err := tr.load(updates, lr, emaDecay); err != nil {
		return err
	}
	tr.changed()
	if err := tr.run(); err != nil {
		return err
	}
	tr.unread.started(updates)
	return nil
}

// changed notes that steps are about to change the weights, the running statistics or the average.
func (tr *Training) changed() {
	tr.weights.changes++
	if tr.ema != nil {
		tr.ema.changes++
	}
}

// Load makes the batch that was fed last the input, and a number that of the step, without training on it: for FindNonFinite.
func (tr *Training) Load(updates int) error { return tr.load(updates, 0, 0) }

// load prepares a step on the batch that was fed.
func (tr *Training) load(updates int, lr, emaDecay float32) error {
	h := &tr.hyperWords
	*h = device.Hyper{Step: uint32(updates), LR: lr, EMADecay: emaDecay}
	tr.opt.Hyper(h, updates-tr.began)
	h.Encode(tr.hyperBytes[:])
	if err := tr.dev.Upload(tr.hyper, tr.hyperBytes[:]); err != nil {
		return err
	}
	return tr.receive()
}

// Weights returns the weights that are trained, EMA their moving average or nil.
func (tr *Training) Weights() *Weights { return tr.weights }

// EMA returns the moving average of the weights, or nil if none is kept.
func (tr *Training) EMA() *Weights { return tr.ema }

// States returns the names of the optimiser's slabs.
func (tr *Training) States() []string { return tr.opt.States() }

// GetState copies the part of optimiser slab i that belongs to p to dst, in the order of p.Dims; SetState copies it back, and SetStatePart the
// elements from first on.
func (tr *Training) GetState(i int, p *Param, dst []float32) error {
	if err := tr.hasGradient(p, len(dst)); err != nil {
		return err
	}
	return tr.dev.Download(device.Bytes(dst), tr.weights.of(p, tr.state[i]))
}

// trains reports whether p lies in the part of the slabs that tr trains.
func (tr *Training) trains(p *Param) bool { return tr.weights.off[p.index] < tr.trained }

// hasGradient fails if p is not trained by tr, or n is not its number of elements.
func (tr *Training) hasGradient(p *Param, n int) error {
	if err := tr.weights.owns(p, n); err != nil {
		return err
	}
	if !tr.trains(p) {
		return fmt.Errorf("graph: %s is not trained: it has neither gradient nor optimiser state", p.Name)
	}
	return nil
}

// SetState is the inverse of GetState.
func (tr *Training) SetState(i int, p *Param, src []float32) error {
	if err := tr.hasGradient(p, len(src)); err != nil {
		return err
	}
	return tr.SetStatePart(i, p, 0, src)
}

// SetStatePart is SetState for the elements from first on.
func (tr *Training) SetStatePart(i int, p *Param, first int, src []float32) error {
	if err := tr.hasGradient(p, p.Len()); err != nil {
		return err
	}
	mem, err := part(p, tr.weights.of(p, tr.state[i]), first, len(src))
	if err != nil {
		return err
	}
	return tr.dev.Upload(mem, device.Bytes(src))
}

// Gradient copies the gradient of p to dst, in the order of p.Dims.
func (tr *Training) Gradient(p *Param, dst []float32) error {
	if err := tr.hasGradient(p, len(dst)); err != nil {
		return err
	}
	return tr.dev.Download(device.Bytes(dst), tr.weights.of(p, tr.grad))
}
