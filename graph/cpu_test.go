package graph

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cnnctl/cnnctl/cpu"
	"github.com/cnnctl/cnnctl/device"
)

// onCPU compiles g for training on the CPU with initial weights of a seed.
func onCPU(tb testing.TB, g *Graph, threads int, c TrainConfig) (*Training, *Weights) {
	tb.Helper()
	dev := cpu.New(threads)
	tb.Cleanup(func() {
		if err := dev.Close(); err != nil {
			tb.Error(err)
		}
	})
	w, err := NewWeights(g, dev)
	if err == nil {
		err = w.Init(1)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tr, err := CompileTraining(g, w, c)
	if err != nil {
		tb.Fatal(err)
	}
	return tr, w
}

// A step takes no memory, and neither does an evaluation.
func TestStepsDoNotAllocate(t *testing.T) {
	g := trunkAndHead()
	tr, w := onCPU(t, g, 2, TrainConfig{Batch: 8, Optimizer: AdamW{0.9, 0.999, 1e-8}, ClipNorm: 1, EMA: true})
	inf, err := CompileInference(g, w, InferConfig{Batch: 8})
	if err != nil {
		t.Fatal(err)
	}
	x, y := randomBatch(g, 8)
	logits := make([]float32, len(y))
	updates := 0
	if n := testing.AllocsPerRun(20, func() {
		if err := tr.Step(x, y, updates, 0.01, 0.9); err != nil {
			t.Fatal(err)
		}
		if _, _, err := tr.Stats(); err != nil {
			t.Fatal(err)
		}
		updates++
	}); n != 0 {
		t.Errorf("a training step makes %v allocations", n)
	}
	if n := testing.AllocsPerRun(20, func() {
		if _, err := inf.Run(x, y, logits); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("an evaluation makes %v allocations", n)
	}
}

// The bits of a training do not depend on the number of threads.
func TestThreadsGiveTheSameBits(t *testing.T) {
	for seed := range 30 {
		var want []float32
		for threads := 1; threads <= 3; threads++ {
			g := randomGraph(seed)
			tr, w := onCPU(t, g, threads, TrainConfig{Batch: 5, Seed: 3, Optimizer: SGD{Momentum: 0.9}})
			x, y := randomBatch(g, 5)
			for i := range 2 {
				if err := tr.Step(x, y, i, 0.01, 0); err != nil {
					t.Fatal(err)
				}
			}
			got := make([]float32, w.total)
			if err := w.dev.Download(device.Bytes(got), w.slab); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = got
			} else if !slices.Equal(got, want) {
				t.Errorf("graph %d: %d threads and 1 thread give different weights", seed, threads)
			}
		}
	}
}

// The CPU and the oracle agree on whole networks, to float32's accuracy.
func TestCPUAgreesWithOracle(t *testing.T) {
	for seed := range 60 {
		g := randomGraph(seed)
		r := newRig(t, g, TrainConfig{Batch: 3, Seed: 3, Optimizer: SGD{}})
		tr, w := onCPU(t, g, 2, TrainConfig{Batch: 3, Seed: 3, Optimizer: SGD{}})
		for _, p := range g.Params() {
			v, err := buffer32(p, func(v []float32) error { return r.w.Get(p, v) })
			if err == nil {
				err = w.Set(p, v)
			}
			if err == nil {
				err = r.w.Set(p, v) // so that both have the rounded values
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		want := r.step()
		if err := tr.Step(r.x, r.y, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
		s, norm, err := tr.Stats()
		if err != nil {
			t.Fatal(err)
		}
		wantNorm := r.dev.Float64s(r.tr.norm)[0]
		if !close32(s.Loss, want, 1e-4) || !close32(norm, wantNorm, 1e-3) {
			t.Errorf("graph %d: loss %g and gradient norm %g, the oracle has %g and %g", seed, s.Loss, norm, want, wantNorm)
		}
		exact := logits(t, g, r.w, InferConfig{Batch: 3})
		largest := float64(max(slices.Max(exact), -slices.Min(exact)))
		for i, v := range logits(t, g, w, InferConfig{Batch: 3}) {
			if !close32(v/float32(largest), float64(exact[i])/largest, 1e-4) {
				t.Errorf("graph %d: logit %d is %g, the oracle has %g", seed, i, v, exact[i])
			}
		}
	}
}

func close32(got float32, want, tol float64) bool {
	d := float64(got) - want
	return max(d, -d) <= tol*max(1, want, -want)
}

func BenchmarkStep(b *testing.B) {
	for _, batch := range []int{1, 32} {
		b.Run(fmt.Sprint("batch ", batch), func(b *testing.B) {
			g := trunkAndHead()
			tr, _ := onCPU(b, g, 0, TrainConfig{Batch: batch, Optimizer: SGD{Momentum: 0.9}})
			x, y := randomBatch(g, batch)
			b.ReportAllocs()
			for b.Loop() {
				if err := tr.Step(x, y, 0, 0, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
