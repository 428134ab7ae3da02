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

// StepResult is the speed of a training step.
type StepResult struct {
	Batch   int
	Times   []time.Duration // of each step, in order
	Cost    device.Cost     // of one step
	Ceiling Ceiling
}

// Median returns the median time of a step.
func (s StepResult) Median() time.Duration {
	t := slices.Clone(s.Times)
	slices.Sort(t)
	return t[len(t)/2]
}

// prepare compiles a training of g on one random batch that stays on the device.
func prepare(g *graph.Graph, dev device.Device, c train.Config) (*graph.Training, func(step int) error, error) {
	w, err := graph.NewWeights(g, dev)
	if err != nil {
		return nil, nil, err
	}
	if err := w.Init(c.Seed); err != nil {
		return nil, nil, err
	}
	tr, err := graph.CompileTraining(g, w, c.Training(c.Batch))
	if err != nil {
		return nil, nil, err
	}
	classes := g.Output().Out.Size()
	x, t := make([]float32, c.Batch*g.Input().Out.Size()), make([]float32, c.Batch*classes)
	r := philox.New(c.Seed, philox.Test, 0, 0)
	for i := range x {
		x[i] = float32(r.Normal())
	}
	for i := range c.Batch {
		t[i*classes+r.IntN(classes)] = 1
	}
	// A rate of zero: the speed does not depend on it, and random data would drive the weights anywhere.
	return tr, func(step int) error { return tr.Step(x, t, step, 0, 0.5) }, nil
}

// Step measures the training step of g for about as long as asked, at least five times, after two steps that are not counted.
func Step(ctx context.Context, g *graph.Graph, dev device.Device, c train.Config, atLeast time.Duration) (StepResult, error) {
	r := StepResult{Batch: c.Batch}
	tr, step, err := prepare(g, dev, c)
	if err != nil {
		return r, err
	}
	r.Cost = tr.Cost()
	if r.Ceiling, err = Measure(dev); err != nil {
		return r, err
	}
	const warmUp, least = 2, 5
	var total time.Duration
	for i := 0; total < atLeast || len(r.Times) < least; i++ {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		begin := time.Now()
		if err := step(i); err != nil {
			return r, err
		}
		if err := dev.Sync(); err != nil {
			return r, err
		}
		if d := time.Since(begin); i >= warmUp {
			r.Times = append(r.Times, d)
			total += d
		}
	}
	return r, nil
}

// Calls measures each call of g's training step: the shortest of a number of rounds.
func Calls(g *graph.Graph, dev device.Device, c train.Config, rounds int) ([]graph.CallTime, Ceiling, error) {
	tr, step, err := prepare(g, dev, c)
	if err != nil {
		return nil, Ceiling{}, err
	}
	if err := step(0); err != nil { // brings the batch to the device
		return nil, Ceiling{}, err
	}
	ceiling, err := Measure(dev)
	if err != nil {
		return nil, ceiling, err
	}
	times, err := tr.Profile(rounds)
	return times, ceiling, err
}
