package zoo_test

import (
	"fmt"
	"testing"

	"github.com/cnnctl/cnnctl/cpu"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/zoo"
)

// newStep returns a training step of a model on a fixed batch with its own initial weights.
func newStep(tb testing.TB, name string, batch int) func() {
	tb.Helper()
	info, err := zoo.Lookup(name)
	if err != nil {
		tb.Fatal(err)
	}
	g, err := zoo.Build(name, info.Input, info.Classes, zoo.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	dev := cpu.New(0)
	tb.Cleanup(func() {
		if err := dev.Close(); err != nil {
			tb.Error(err)
		}
	})
	w, err := graph.NewWeights(g, dev)
	if err == nil {
		err = w.Init(1)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tr, err := graph.CompileTraining(g, w, graph.TrainConfig{Batch: batch, Optimizer: graph.SGD{Momentum: 0.9}})
	if err != nil {
		tb.Fatal(err)
	}
	c := curve{Input: [3]int{info.Input.H, info.Input.W, info.Input.C}, Classes: info.Classes, Batch: batch}
	x, y := c.draw(0)
	updates := 0
	return func() {
		if err := tr.Step(x, y, updates, 0.01, 0); err != nil {
			tb.Fatal(err)
		}
		updates++
	}
}

func TestLeNet5StepDoesNotAllocate(t *testing.T) {
	for _, name := range []string{"lenet5", "lenet5_relu"} {
		if n := testing.AllocsPerRun(10, newStep(t, name, 64)); n != 0 {
			t.Errorf("a training step of %s makes %v allocations", name, n)
		}
	}
}

func BenchmarkLeNet5Step(b *testing.B) {
	for _, name := range []string{"lenet5", "lenet5_relu"} {
		for _, batch := range []int{1, 64, 256} {
			b.Run(fmt.Sprintf("%s/batch %d", name, batch), func(b *testing.B) {
				step := newStep(b, name, batch)
				b.ReportAllocs()
				for b.Loop() {
					step()
				}
				b.ReportMetric(float64(batch)*float64(b.N)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
}
