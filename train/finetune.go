package train

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/train/transfer"
)

// HeadInits lists the names that Config.HeadInit takes: the model's own initialiser, Glorot and Bengio's (2010), He et al.'s (arXiv:1502.01852), zeros,
// and the pretrained head as it is.
var HeadInits = []string{"model", "xavier", "kaiming", "zero", "keep"}

// tuning is what a run has beside a training from nothing.
type tuning struct {
	strategy transfer.Strategy
	plan     *transfer.Plan
	from     *Checkpoint // nil where nothing is loaded from it
	notes    []string
}

func (t *tuning) close() {
	if t.from != nil {
		t.from.Close()
		t.from = nil
	}
}

// command is the command that a run is continued with.
func (c Config) command() string {
	if c.Strategy != "" {
		return "finetune"
	}
	return "train"
}

// checkStrategy reports settings of fine-tuning that do not go together. The error wraps ErrConfig.
func (c Config) checkStrategy() error {
	if c.Strategy == "" {
		if c.Weights != "" || c.FreezeEpochs > 0 || c.HeadInit != "" || c.LRMult != 0 || c.LayerDecay != 0 {
			return fmt.Errorf("%w: --weights, --freeze-epochs, --head-init, --lr-mult and --layer-decay are for fine-tuning; wanted a --strategy with them", ErrConfig)
		}
		return nil
	}
	s, err := transfer.Parse(c.Strategy)
	switch {
	case err != nil:
		return fmt.Errorf("%w: --strategy: %w", ErrConfig, err)
	case s.Pretrained() && c.Weights == "":
		return fmt.Errorf("%w: --strategy %v without pretrained weights would freeze or spare random ones; wanted --weights FILE or --pretrained NAME, or --strategy scratch", ErrConfig, s)
	case s.Kind == transfer.Scratch && (c.FreezeEpochs > 0 || c.HeadInit != ""):
		return fmt.Errorf("%w: --freeze-epochs and --head-init with --strategy scratch, which trains all layers from random weights", ErrConfig)
	case !s.Body() && (c.FreezeEpochs > 0 || c.LRMult != 0 || c.LayerDecay != 0):
		return fmt.Errorf("%w: --freeze-epochs, --lr-mult and --layer-decay with --strategy %v, which trains the head alone", ErrConfig, s)
	case s.Kind == transfer.Features && c.Augments():
		return fmt.Errorf("%w: --strategy features sees every image once, as for evaluation; augmentation goes with --strategy head", ErrConfig)
	}
	return nil
}

// openPretrained opens the checkpoint to begin with, and takes over what it says of the input. A run that continues from a state of its own has
// all that already.
func (r *Run) openPretrained() error {
	c := &r.Config
	if err := c.Check(); err != nil {
		return err
	}
	s, err := transfer.Parse(c.Strategy)
	if err != nil {
		return err
	}
	r.tuning = &tuning{strategy: s}
	if s.Kind == transfer.Features {
		c.NoAug = true
	}
	if r.resumed {
		files, err := r.stateFiles()
		if err != nil || len(files) > 0 {
			return err
		}
	}
	if c.Weights == "" {
		return nil
	}
	if abs, err := filepath.Abs(c.Weights); err == nil {
		c.Weights = abs
	}
	from, err := OpenCheckpoint(c.Weights, Foreign{Model: c.Model})
	if err != nil {
		return err
	}
	if s.Kind == transfer.Scratch {
		r.forgetPreprocess(from)
		return from.Close()
	}
	if c.Preprocess == nil {
		c.Preprocess = &from.Spec.Preprocess
		r.tuning.notes = append(r.tuning.notes, from.Notes...)
	}
	r.tuning.from = from
	return nil
}

// ForTuning returns c, the defaults for training from nothing, with those that suit pretrained weights: few epochs, and a rate that a new head bears and
// a tenth of which the layers below it do.
func (c Config) ForTuning() Config {
	c.Strategy, c.Project = string(transfer.Auto), "runs/finetune"
	c.Epochs, c.Batch, c.Opt, c.LR, c.WeightDecay, c.Sched, c.WarmupEpochs, c.LabelSmoothing = 10, 32, "adamw", 3e-3, 0.01, "cosine", 1, 0
	return c
}

// WithRecipe returns c with the optimizer, rate, decay, warm-up and label smoothing of other settings: those of a model's own training, which random
// weights need where c has those of fine-tuning. Epochs, schedule, batch size and data stay.
func (c Config) WithRecipe(own Config) Config {
	c.Opt, c.LR, c.Momentum, c.WeightDecay, c.WarmupEpochs, c.LabelSmoothing = own.Opt, own.LR, own.Momentum, own.WeightDecay, own.WarmupEpochs, own.LabelSmoothing
	return c
}

// forgetPreprocess keeps of a checkpoint's preprocessing the size alone. Initialisers assume inputs of about unit variance, and the values that
// pretrained weights are used to may be anything: on pixels from -128 to 127, random weights give scores so large that the first steps kill them.
func (r *Run) forgetPreprocess(from *Checkpoint) {
	c := &r.Config
	pre := c.Preprocess
	if pre == nil {
		pre = &from.Spec.Preprocess
	}
	if c.ImageSize == 0 {
		c.ImageSize = pre.Size[0]
	}
	c.Preprocess = nil
	r.tuning.notes = append(r.tuning.notes, fmt.Sprintf("scratch: of %s only the input's size is used; images are normalised by their own mean and deviation", from.Path()))
}

// plan decides which layers are trained when.
func (r *Run) plan(ctx context.Context, dev device.Device) error {
	c, t := &r.Config, r.tuning
	if t.strategy.Kind == transfer.Auto {
		if err := r.choose(ctx, dev); err != nil {
			return err
		}
	}
	var err error
	gradual := t.strategy.Kind == transfer.Gradual
	if t.plan, err = t.strategy.Plan(r.graph, c.FreezeEpochs > 0 && !gradual); err != nil {
		return fmt.Errorf("%w: --strategy: %w", ErrConfig, err)
	}
	r.graph.Thaw(t.plan.Thaw)
	stages := r.graph.Stages()
	if gradual && c.FreezeEpochs == 0 {
		c.FreezeEpochs = max(c.Epochs/stages, 1)
	}
	if reached := r.stageAt(c.Epochs-1) + 1; c.Epochs > 0 && reached < stages {
		t.notes = append(t.notes, fmt.Sprintf("%d epochs reach %d of %d stages: the layers %s stay frozen", c.Epochs, reached, stages, t.plan.Frozen(reached-1)))
	}
	if t.strategy.Body() && t.strategy.Kind != transfer.Scratch {
		if c.LRMult == 0 {
			c.LRMult = bodyRate
			if c.LayerDecay > 0 && c.LayerDecay < 1 {
				c.LRMult = 1
			}
		}
	}
	if t.strategy.Kind == transfer.Features {
		return r.cutTail()
	}
	return nil
}

// bodyRate is the learning rate of pretrained layers, relative to the new head's: the usual tenth.
const bodyRate = 0.1

// group is the training of one parameter, by its layer.
func (t *tuning) group(c Config) func(*graph.Param) graph.Group {
	mult, decay := c.LRMult, c.LayerDecay
	if mult == 0 {
		mult = 1
	}
	if decay == 0 {
		decay = 1
	}
	return func(p *graph.Param) graph.Group {
		g := c.group(p)
		g.LRScale = float32(t.plan.Scale(p, mult, decay))
		return g
	}
}

// loadPretrained fills the weights from the checkpoint, if there is one to begin with, and says what becomes of the head.
func (r *Run) loadPretrained() error {
	c, t := r.Config, r.tuning
	if t.from == nil {
		return nil
	}
	head := transfer.HeadParams(r.graph)
	name, have, want := head[0].Node().Name, t.from.Spec.Classes, r.Spec.Classes
	keep, why := len(have) == len(want), fmt.Sprintf("%d classes in place of %d", len(want), len(have))
	switch {
	case c.HeadInit == "keep" && !keep:
		return fmt.Errorf("%w: --head-init keep: %s tells %d classes apart, the data has %d; leave --head-init out for a new head", ErrConfig, t.from.Path(), len(have), len(want))
	case c.HeadInit == "keep":
	case c.HeadInit != "":
		keep, why = false, "as --head-init asks"
	case keep && t.from.Named && !slices.Equal(have, want):
		keep, why = false, "the classes are others"
	}
	if keep {
		t.notes = append(t.notes, fmt.Sprintf("the head %s is kept: it has as many classes as the data; --head-init model draws a new one", name))
		return t.from.load(r.weights)
	}
	t.notes = append(t.notes, fmt.Sprintf("the head %s is new: %s", name, why))
	in := graph.Shape{H: r.Spec.Input[0], W: r.Spec.Input[1], C: r.Spec.Input[2]}
	if err := t.from.loadBody(r.weights, in); err != nil {
		return err
	}
	return r.drawHead(head)
}

// drawHead draws the new head as --head-init says.
func (r *Run) drawHead(head []*graph.Param) error {
	var init graph.Init
	switch r.Config.HeadInit {
	case "", "model":
		return nil // drawn with all others
	case "xavier":
		init = graph.XavierUniform()
	case "kaiming":
		init = graph.KaimingNormalFanIn()
	case "zero":
		init = graph.Constant(0)
		for _, n := range r.graph.Nodes() {
			if _, ok := n.Op.(graph.Activation); ok && n.In[0] == head[0].Node() {
				return fmt.Errorf("%w: --head-init zero: the head's scores pass through %v, whose gradient at 0 is 0, so that it would never learn; wanted another", ErrConfig, n.Op)
			}
		}
	}
	for _, p := range head {
		if p.Init = graph.Constant(0); p.Decay {
			p.Init = init
		}
		if err := r.weights.Draw(p, r.Config.Seed); err != nil {
			return err
		}
	}
	return nil
}

// stageAt returns the stage that an epoch, counted from 0, belongs to.
func (r *Run) stageAt(epoch int) int {
	last := r.graph.Stages() - 1
	if last == 0 {
		return 0
	}
	return min(max(epoch, 0)/max(r.Config.FreezeEpochs, 1), last)
}

// setStage makes the program of a stage the one in use.
func (r *Run) setStage(stage int) {
	r.tr = r.stages[stage]
	r.tr.Weights().Graph().Enter(stage)
	r.graph.Enter(stage)
	r.progress.Stage = stage
}

// enterStage goes on to the stage of the epoch that begins.
func (r *Run) enterStage() error {
	p := &r.progress
	stage := r.stageAt(p.Epoch)
	if stage == p.Stage {
		return nil
	}
	r.setStage(stage)
	if err := r.tr.Begin(p.Updates); err != nil {
		return err
	}
	p.Began = p.Updates
	r.notify(r.describeStages()[stage])
	return nil
}

// describeStages says what each stage trains, and what that takes. A training from nothing has no stages.
func (r *Run) describeStages() []StageStarted {
	if r.tuning == nil {
		return nil
	}
	defer r.graph.Enter(r.graph.Stage())
	var all []StageStarted
	for i, tr := range r.stages {
		r.graph.Enter(i)
		_, trained := r.graph.NumParams()
		m := tr.Plan().Memory
		all = append(all, StageStarted{Epoch: 1 + i*max(r.Config.FreezeEpochs, 1), Layers: r.tuning.plan.Trained(i), Trainable: trained,
			FrozenNorms: r.tuning.plan.FrozenNorms(i), Memory: m.Total() - m.Weights})
	}
	return all
}
