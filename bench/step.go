package bench

import (
	"context"
	"slices"
	"time"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/philox"
	"github.com/cnnctl/cnnctl/train"
)

// A Work is a program that is run again and again: on one random batch, or on those of a loader.
type Work struct {
	Batch int
	Cost  device.Cost // of one run
	dev   device.Device
	give  func(x, t []float32) error // brings a batch to the device; nil if run does
	run   func(i int, x, t []float32) error
	runs  int
	x, t  []float32
	feed  *feed
}

// Once runs the program and returns the time to the end of the last call. In a training with a loader that includes the wait for the next batch, which is
// loaded and copied while the device works on this one; the random batch stays on the device.
func (w *Work) Once() (time.Duration, error) {
	if w.give != nil && w.runs == 0 {
		if err := w.next(w.give); err != nil {
			return 0, err
		}
	}
	begin := time.Now()
	run := func(x, t []float32) error { return w.run(w.runs, x, t) }
	var err error
	switch {
	case w.give == nil:
		err = w.next(run)
	case w.feed == nil:
		err = run(nil, nil)
	default:
		if err = run(nil, nil); err == nil {
			err = w.next(w.give)
		}
	}
	if err != nil {
		return 0, err
	}
	w.runs++
	err = w.dev.Sync()
	return time.Since(begin), err
}

// next calls f with the next batch of the loader, or the random one.
func (w *Work) next(f func(x, t []float32) error) error {
	if w.feed == nil {
		return f(w.x, w.t)
	}
	b, err := w.feed.next()
	if err != nil {
		return err
	}
	defer w.feed.it.Release(b)
	return f(b.X, b.T)
}

// Training compiles the training step of g, the optimiser included.
func Training(g *graph.Graph, dev device.Device, c train.Config) (*Work, error) {
	tr, err := prepare(g, dev, c)
	if err != nil {
		return nil, err
	}
	x, t := randomBatch(g, c)
	run := func(i int, _, _ []float32) error { return tr.Advance(i, 0, idle) }
	return &Work{Batch: c.Batch, Cost: tr.Cost(), dev: dev, give: tr.Feed, run: run, x: x, t: t}, nil
}

// Inference compiles the evaluation of g, the loss included.
func Inference(g *graph.Graph, dev device.Device, c train.Config) (*Work, error) {
	w, err := randomWeights(g, dev, c)
	if err != nil {
		return nil, err
	}
	inf, err := graph.CompileInference(g, w, c.Inference(c.Batch))
	if err != nil {
		return nil, err
	}
	x, t := randomBatch(g, c)
	logits := make([]float32, len(t))
	run := func(_ int, x, t []float32) error {
		_, err := inf.Run(x, t, logits)
		return err
	}
	return &Work{Batch: c.Batch, Cost: inf.Cost(), dev: dev, run: run, x: x, t: t}, nil
}

func randomWeights(g *graph.Graph, dev device.Device, c train.Config) (*graph.Weights, error) {
	w, err := graph.NewWeights(g, dev)
	if err != nil {
		return nil, err
	}
	return w, w.Init(c.Seed)
}

// randomBatch returns images of noise, (N, H, W, C), and random classes as one-hot rows, (N, classes).
func randomBatch(g *graph.Graph, c train.Config) (x, t []float32) {
	classes := g.Output().Out.Size()
	x, t = make([]float32, c.Batch*g.Input().Out.Size()), make([]float32, c.Batch*classes)
	r := philox.New(c.Seed, philox.Test, 0, 0)
	for i := range x {
		x[i] = float32(r.Normal())
	}
	for i := range c.Batch {
		t[i*classes+r.IntN(classes)] = 1
	}
	return x, t
}

// idle is the weight of an average that moves, in steps whose learning rate is zero: the speed does not depend on either, and random data would drive
// the weights anywhere.
const idle = 0.5

// prepare compiles a training of g.
func prepare(g *graph.Graph, dev device.Device, c train.Config) (*graph.Training, error) {
	w, err := randomWeights(g, dev, c)
	if err != nil {
		return nil, err
	}
	return graph.CompileTraining(g, w, c.Training(c.Batch))
}

// Result is the speed of a program.
type Result struct {
	Batch   int
	Times   []time.Duration // of each run, in order, the wait for its data included
	Wait    time.Duration   // for data, in all of them
	Cost    device.Cost     // of one run
	Ceiling Ceiling
}

// Total returns the time of all runs.
func (r Result) Total() time.Duration {
	var sum time.Duration
	for _, d := range r.Times {
		sum += d
	}
	return sum
}

// Median returns the median time of a run.
func (r Result) Median() time.Duration {
	t := slices.Clone(r.Times)
	slices.Sort(t)
	return t[len(t)/2]
}

// Measure runs w for about as long as asked, at least five times, after two runs that are not counted.
func (w *Work) Measure(ctx context.Context, atLeast time.Duration) (Result, error) {
	r := Result{Batch: w.Batch, Cost: w.Cost}
	var err error
	if r.Ceiling, err = Measure(w.dev); err != nil {
		return r, err
	}
	const warmUp, least = 2, 5
	var total, waited time.Duration
	for i := 0; total < atLeast || len(r.Times) < least; i++ {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		d, err := w.Once()
		if err != nil {
			return r, err
		}
		if i < warmUp {
			waited = w.waited()
			continue
		}
		r.Times = append(r.Times, d)
		total += d
	}
	r.Wait = w.waited() - waited
	return r, nil
}

// Calls measures each call of g's training step: the shortest of a number of rounds.
func Calls(g *graph.Graph, dev device.Device, c train.Config, rounds int) ([]graph.CallTime, Ceiling, error) {
	tr, err := prepare(g, dev, c)
	if err != nil {
		return nil, Ceiling{}, err
	}
	x, t := randomBatch(g, c)
	if err := tr.Step(x, t, 0, 0, idle); err != nil { // brings the batch to the device
		return nil, Ceiling{}, err
	}
	ceiling, err := Measure(dev)
	if err != nil {
		return nil, ceiling, err
	}
	times, err := tr.Profile(rounds)
	return times, ceiling, err
}
