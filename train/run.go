package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/data/loader"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/zoo"
)

// Run is a training run: everything that can fail has been tried by the time that Start or Resume returns one.
type Run struct {
	Config Config
	Spec   Spec
	Dir    *Dir

	source    *data.Source
	graph     *graph.Graph
	weights   *graph.Weights
	stages    []*graph.Training // one program for each stage, sharing memory; one alone unless layers thaw on the way
	tr        *graph.Training   // that of the stage under way
	tuning    *tuning           // nil for a training from nothing
	tail      *tail             // the network behind cached features, which is trained in the whole one's place; or nil
	eval      *Evaluator
	images    *loader.Loader    // batches of the training part
	batches   *loader.Loader    // what is trained on: images, or their features
	pipe      *augment.Pipeline // of the training part
	sched     Schedule
	progress  progress
	metrics   Metrics // of the last validation
	observers []Observer
	log       *eventLog
	logErr    error
	resumed   bool
	found     bool            // a state was found to continue from
	before    Config          // of the run that is resumed
	interval  time.Duration   // between two looks at the results of steps
	skipped   map[string]bool // corrupt samples that were reported, by name
}

// Start prepares a new run in a directory of its own. It returns errors that wrap ErrConfig, ErrRun, data.ErrFormat, data.ErrCorrupt,
// graph.ErrShape or device.ErrUnsupported, or an *device.OutOfMemoryError, before anything has been written.
func Start(ctx context.Context, c Config, dev device.Device, observers ...Observer) (*Run, error) {
	r := &Run{Config: c, observers: observers, interval: progressInterval}
	if err := r.build(ctx, dev); err != nil {
		return nil, errors.Join(err, r.closeSource())
	}
	name := r.Config.Name
	if name == "" {
		name = r.Config.Model
	}
	dir, err := CreateDir(r.Config.Project, name)
	if err != nil {
		return nil, errors.Join(err, r.closeSource())
	}
	r.Dir = dir
	if err := r.settle(); err != nil {
		return nil, errors.Join(err, r.Close(), os.RemoveAll(dir.Path)) // it is ours, and holds nothing yet
	}
	return r, nil
}

// Resume continues the run in a directory with the settings c: those of its args.yaml (see LoadConfig), but for what may change without
// making its past untrue, such as the number of epochs.
func Resume(ctx context.Context, path string, c Config, dev device.Device, observers ...Observer) (*Run, error) {
	dir, err := OpenDir(path)
	if err != nil {
		return nil, err
	}
	r := &Run{Dir: dir, observers: observers, resumed: true, interval: progressInterval}
	fail := func(err error) (*Run, error) { return nil, errors.Join(err, r.Close()) }
	before, err := LoadConfig(path)
	if err != nil {
		return fail(err)
	}
	if err := c.continues(before); err != nil {
		return fail(err)
	}
	r.Config, r.before = c, before
	if err := r.build(ctx, dev); err != nil {
		return fail(err)
	}
	if !r.found {
		r.notify(Warning{Message: "the run was stopped before its first checkpoint; it begins anew"})
	}
	if done := r.progress.Epoch; c.Epochs < done {
		return fail(fmt.Errorf("%w: --epochs %d, wanted at least the %d that the run has done", ErrConfig, c.Epochs, done))
	}
	if err := r.settle(); err != nil {
		return fail(err)
	}
	return r, nil
}

// prepare opens the data, builds the network, and decides on what is trained of it and on the batch size.
func (r *Run) prepare(ctx context.Context, dev device.Device) error {
	feed, err := OpenFeed(ctx, &r.Config)
	if err != nil {
		return err
	}
	r.source, r.Spec, r.pipe = feed.Source, feed.Spec, feed.Pipe
	if r.source.Val == nil || r.source.Val.Len() == 0 {
		return fmt.Errorf("%w: %s has no validation part", data.ErrFormat, r.Config.Data)
	}
	if r.graph, err = r.Spec.Graph(r.Config.zooOptions()); err != nil {
		return err
	}
	if r.tuning != nil {
		if err := r.plan(ctx, dev); err != nil {
			return err
		}
	}
	if r.Config.Batch == AutoBatch {
		if err := r.chooseBatch(dev); err != nil {
			return err
		}
		if err := feed.batch(&r.Config); err != nil {
			return err
		}
	}
	r.images, r.batches = feed.Batches, feed.Batches
	r.sched = r.Config.schedule(r.batches.Batches())
	return nil
}

func (c Config) zooOptions() zoo.Options {
	var o zoo.Options
	if c.Dropout >= 0 {
		o.Dropout = &c.Dropout
	}
	return o
}

// build does everything that can fail before the first step: data, network, programs, and the weights to begin or to go on with.
func (r *Run) build(ctx context.Context, dev device.Device) error {
	if err := device.CheckPrecision(dev, r.Config.Precision); err != nil {
		return err // before the data set is read through
	}
	if r.Config.Strategy != "" {
		if err := r.openPretrained(); err != nil {
			return err
		}
		defer r.tuning.close()
	}
	if err := r.prepare(ctx, dev); err != nil {
		return err
	}
	if err := r.checkMemory(dev); err != nil {
		return err
	}
	if err := r.compile(dev); err != nil {
		return err
	}
	if r.resumed {
		var err error
		if r.found, err = r.loadState(); err != nil {
			return err
		}
	}
	return r.connect(ctx)
}

// compile takes the device's memory and fills it with the initial weights.
func (r *Run) compile(dev device.Device) error {
	var err error
	if r.weights, err = graph.NewWeights(r.graph, dev); err != nil {
		return err
	}
	if err = r.weights.Init(r.Config.Seed); err != nil {
		return err
	}
	trained, weights, config := r.graph, r.weights, r.Config.Training(r.Config.Batch)
	if r.tuning != nil {
		if err := r.loadPretrained(); err != nil {
			return err
		}
		if r.tail != nil {
			if err := r.loadTail(dev); err != nil {
				return err
			}
			trained, weights = r.tail.graph, r.tail.weights
		}
		config.Group = r.tuning.group(r.Config)
	}
	if pixels := r.images.Pixels(); pixels != nil && r.tail == nil {
		r.batches, config.Pixels = pixels, r.pipe.Table()
	}
	if r.stages, err = graph.CompileStages(trained, weights, config); err != nil {
		return err
	}
	r.tr = r.stages[0]
	return nil
}

// connect joins programs and data.
func (r *Run) connect(ctx context.Context) error {
	if r.tail != nil {
		return r.openFeatures(ctx)
	}
	pipe, err := r.Spec.Preprocess.Pipeline()
	if err != nil {
		return err
	}
	r.eval, err = NewEvaluator(r.judged(), r.source.Val, pipe, r.Config.Inference(evalBatch(r.Config.Batch)), r.Config.Workers)
	return err
}

// evalBatch is the batch size of validation: larger than training's, because nothing is kept for a backward pass.
func evalBatch(batch int) int { return 2 * batch }

// judged returns the weights that validation measures.
func (r *Run) judged() *graph.Weights {
	if ema := r.tr.EMA(); ema != nil {
		return ema
	}
	return r.tr.Weights()
}

// keeper gives access to the parameters of the whole network where those that are trained lie in w.
type keeper struct {
	r *Run
	w *graph.Weights
}

// at returns where parameter p of the whole network lies: in the tail if it has it.
func (k keeper) at(p *graph.Param) (*graph.Weights, *graph.Param) {
	if t := k.r.tail; t != nil {
		if q := t.params[p.Name]; q != nil {
			return k.w, q
		}
		return k.r.weights, p
	}
	return k.w, p
}

func (k keeper) get(p *graph.Param, dst []float32) error {
	w, p := k.at(p)
	return w.Get(p, dst)
}

func (k keeper) set(p *graph.Param, first int, src []float32) error {
	w, p := k.at(p)
	return w.SetPart(p, first, src)
}

// settle writes what the run directory holds before the first step and announces the run.
func (r *Run) settle() error {
	r.progress.Data = r.source.Digest
	if err := r.Dir.makeFolders(); err != nil {
		return err
	}
	m := r.memory()
	const pictures = 4 << 20 // with room to spare
	need := 2*m.Weights + int64(statesKept+1)*(m.Weights+m.Optimizer+m.EMA) + pictures
	if err := checkpoint.CheckWritable(r.Dir.Path, need); err != nil {
		return err
	}
	if err := r.Dir.SaveConfig(r.Config); err != nil {
		return err
	}
	var err error
	if r.log, err = openEventLog(r.Dir.File("events.jsonl")); err != nil {
		return err
	}
	if err := saveResults(r.Dir.File("results.csv"), r.progress.Rows); err != nil {
		return err
	}
	all, trained := r.graph.NumParams()
	notes := r.source.Notes
	if r.tuning != nil {
		notes = slices.Concat(r.tuning.notes, notes)
	}
	r.notify(Started{Strategy: r.Config.Strategy, Weights: r.Config.Weights, Stages: r.describeStages(), Model: r.Config.Model, Params: all, Trainable: trained, Input: r.Spec.Input, Device: r.tr.Device(), Data: r.Config.Data,
		Format: r.source.Format, Train: r.source.Train.Len(), Val: r.source.Val.Len(), Classes: r.Spec.Classes, Augment: r.pipe.String(), Batch: r.Config.Batch,
		Epochs: r.Config.Epochs, StartEpoch: r.progress.Epoch, StartBatch: r.progress.Batch, Steps: r.batches.Batches(), Dir: r.Dir.Path, Resumed: r.resumed, Memory: m, Notes: notes})
	return nil
}

// Observe adds an observer.
func (r *Run) Observe(o Observer) { r.observers = append(r.observers, o) }

func (r *Run) notify(e Event) {
	if r.log != nil {
		r.logErr = errors.Join(r.logErr, r.log.write(e))
	}
	for _, o := range r.observers {
		o(e)
	}
}

func (r *Run) closeSource() error {
	var err error
	if r.tail != nil && r.tail.cache != nil {
		err = r.tail.cache.Close()
	}
	if r.source != nil {
		err = errors.Join(err, r.source.Close())
	}
	return err
}

// memory is what the largest stage takes.
func (r *Run) memory() graph.Memory {
	var m graph.Memory
	for _, tr := range r.stages {
		if s := tr.Plan().Memory; s.Total() > m.Total() {
			m = s
		}
	}
	if r.tail != nil {
		for _, p := range r.graph.Params() {
			m.Weights += 4 * int64(p.Len())
		}
	}
	return m
}

// Close lets go of the run's directory and data. It does not save.
func (r *Run) Close() error {
	err := r.closeSource()
	if r.log != nil {
		err = errors.Join(err, r.log.f.Close())
	}
	if r.Dir != nil {
		err = errors.Join(err, r.Dir.Close())
	}
	return err
}
