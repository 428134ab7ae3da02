package graph

import (
	"errors"
	"slices"
	"testing"

	"github.com/cnnctl/cnnctl/cpu"
	"github.com/cnnctl/cnnctl/cpu/ref"
	"github.com/cnnctl/cnnctl/device"
)

// The oracle rounds nothing, so that a network gives the same bits in every precision, unless a call takes memory for what it is not.
func TestPrecisionsAgreeOnTheOracle(t *testing.T) {
	for seed := range randomGraphs / 3 {
		g := randomGraph(1000 + seed)
		want := slices.Concat(trainedBits(t, g, device.FP32, false))
		for _, p := range []device.Precision{device.TF32, device.BF16} {
			if !slices.Equal(slices.Concat(trainedBits(t, g, p, false)), want) {
				t.Errorf("graph %d: other results in %v", seed, p)
			}
		}
	}
}

// Features and logits reach the host in float32.
func TestFeaturesInBF16(t *testing.T) {
	g := trunkAndHead()
	w := randomWeights(t, g, ref.New())
	x, y := randomBatch(g, 2)
	for _, n := range g.Nodes()[1:] {
		var got [2][]float32
		for i, p := range []device.Precision{device.FP32, device.BF16} {
			f, err := CompileFeatures(g, w, n, InferConfig{2, p})
			if err != nil {
				t.Fatal(err)
			}
			got[i] = make([]float32, 2*n.Out.Size())
			if err := f.Run(x, got[i]); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(got[0], got[1]) {
			t.Errorf("%s: other features in bf16", n.Name)
		}
	}
	inf, err := CompileInference(g, w, InferConfig{2, device.BF16})
	if err != nil {
		t.Fatal(err)
	}
	logits := make([]float32, len(y))
	if _, err := inf.Run(x, y, logits); err != nil || slices.Contains(logits, 0) {
		t.Errorf("logits %v, %v", logits, err)
	}
}

// Activations and their gradients take half the memory; the weights one half more, for their copy.
func TestMemoryInBF16(t *testing.T) {
	g := New(Shape{H: 32, W: 32, C: 1})
	x := g.Input()
	for _, name := range []string{"a", "b", "c"} {
		x = g.Add(name, Conv2D{Filters: 64, Window: win(3, 1, Same())}, x)
		x = g.Add(name+".tanh", Tanh(), x)
	}
	g.Add("head", Linear{Out: 8}, x)
	const batch = 4
	c := TrainConfig{Batch: batch, Optimizer: SGD{Momentum: 0.9}, EMA: true}
	var m [2]Memory
	for i, p := range []device.Precision{device.FP32, device.BF16} {
		c.Precision = p
		plan, err := PlanTraining(g, ref.New(), c)
		if err != nil {
			t.Fatal(err)
		}
		m[i] = plan.Memory
	}
	// The batch as the host leaves it stays, beside its copy in bfloat16; so do targets, statistics, norm and hyperparameters.
	const images, small = 4 * batch * 32 * 32, 4 * device.Align
	if got, want := m[1].Activations, (m[0].Activations+images)/2+images/2; got > want+small || got < want-small {
		t.Errorf("activations take %d bytes, %d in float32, want %d", got, m[0].Activations, want)
	}
	if m[1].Weights != m[0].Weights*3/2 || m[1].EMA != m[1].Weights || m[1].Gradients != m[0].Gradients || m[1].Optimizer != m[0].Optimizer {
		t.Errorf("weights, gradients and optimiser take %+v, in float32 %+v", m[1], m[0])
	}
}

// A device that lacks a precision says so before anything is planned.
func TestPrecisionThatTheDeviceLacks(t *testing.T) {
	g := trunkAndHead()
	d := cpu.New(1)
	defer d.Close()
	for _, p := range []device.Precision{device.TF32, device.BF16} {
		_, err1 := PlanTraining(g, d, TrainConfig{Batch: 1, Precision: p, Optimizer: SGD{}})
		_, err2 := PlanInference(g, d, InferConfig{1, p})
		if !errors.Is(err1, device.ErrUnsupported) || !errors.Is(err2, device.ErrUnsupported) {
			t.Errorf("%v: training %v, evaluation %v, want ErrUnsupported", p, err1, err2)
		}
	}
}
