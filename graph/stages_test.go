package graph

import (
	"slices"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/cpu"
	"github.com/cnnctl/cnnctl/cpu/ref"
)

// thawTrunk trains the last layer of the network of trunkAndHead in stage 0, the head's first in stage 1, and from stage 2 on conv2; the rest never.
func thawTrunk(p *Param) int {
	switch {
	case strings.HasPrefix(p.Name, "head.fc2"):
		return 0
	case strings.HasPrefix(p.Name, "head.fc1"):
		return 1
	case strings.HasPrefix(p.Name, "trunk.conv2"):
		return 2
	}
	return Never
}

// A training in stages takes the steps of separate trainings that hand their weights on, each with an optimiser of its own.
func TestStagesEqualSeparateTrainings(t *testing.T) {
	c := TrainConfig{Batch: 4, Optimizer: AdamW{0.9, 0.999, 1e-8}, Group: func(p *Param) Group {
		if strings.HasPrefix(p.Name, "head.") {
			return Group{LRScale: 1, Decay: 0.1}
		}
		return Group{LRScale: 0.1, Decay: 0.1}
	}}
	g := trunkAndHead()
	g.Thaw(thawTrunk)
	if n := g.Stages(); n != 3 {
		t.Fatalf("%d stages, want 3", n)
	}
	dev := cpu.New(2) // the oracle's weights would be rounded on their way from one training to the next
	defer dev.Close()
	w, err := NewWeights(g, dev)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Init(1); err != nil {
		t.Fatal(err)
	}
	start := values(t, w)
	trs, err := CompileStages(g, w, c)
	if err != nil {
		t.Fatal(err)
	}
	if g.Stage() != 0 {
		t.Errorf("compiling has left the graph in stage %d", g.Stage())
	}
	x, y := randomBatch(g, c.Batch)
	const steps = 3
	updates := 0
	for stage, tr := range trs {
		g.Enter(stage)
		if err := tr.Begin(updates); err != nil {
			t.Fatal(err)
		}
		for range steps {
			if err := tr.Step(x, y, updates, 0.01, 0); err != nil {
				t.Fatal(err)
			}
			updates++
		}
	}
	got := values(t, w)

	want := start
	for stage := range trs {
		g := trunkAndHead()
		g.Freeze(func(p *Param) bool { k := thawTrunk(p); return k == Never || k > stage })
		w, err := NewWeights(g, dev)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range g.Params() {
			if err := w.Set(p, want[p.Name]); err != nil {
				t.Fatal(err)
			}
		}
		tr, err := CompileTraining(g, w, c)
		if err != nil {
			t.Fatal(err)
		}
		for i := range steps {
			if err := tr.Step(x, y, i, 0.01, 0); err != nil {
				t.Fatal(err)
			}
		}
		want = values(t, w)
	}
	for name, v := range want {
		changed := !slices.Equal(v, start[name])
		if trains := strings.HasPrefix(name, "head.") || strings.HasPrefix(name, "trunk.conv2."); changed != trains {
			t.Errorf("%s changed: %v", name, changed)
		}
		if !slices.Equal(got[name], v) {
			t.Errorf("%s differs from that of separate trainings", name)
		}
	}
}

// Stages share one arena and one set of slabs, of which the earlier ones use a prefix.
func TestStagesShareMemory(t *testing.T) {
	g := trunkAndHead()
	g.Thaw(thawTrunk)
	w := randomWeights(t, g, ref.New())
	trs, err := CompileStages(g, w, TrainConfig{Batch: 4, Optimizer: SGD{Momentum: 0.9}})
	if err != nil {
		t.Fatal(err)
	}
	for i, tr := range trs[1:] {
		if tr.arena != trs[0].arena || tr.grad != trs[0].grad || tr.state[0] != trs[0].state[0] {
			t.Errorf("stage %d has memory of its own", i+1)
		}
		if before, after := trs[i].Plan().Memory, tr.Plan().Memory; after.Gradients <= before.Gradients || after.Optimizer <= before.Optimizer || after.Weights != before.Weights {
			t.Errorf("stage %d: memory %+v after %+v", i+1, after, before)
		}
	}
	fc1 := g.Output().In[0].In[0].Params[0]
	if err := trs[0].GetState(0, fc1, make([]float32, fc1.Len())); err == nil {
		t.Errorf("stage 0 has optimiser state for %s", fc1.Name)
	}
	if err := trs[1].GetState(0, fc1, make([]float32, fc1.Len())); err != nil {
		t.Error(err)
	}
}

// values reads all parameters by name.
func values(t *testing.T, w *Weights) map[string][]float32 {
	t.Helper()
	all := map[string][]float32{}
	for _, p := range w.Graph().Params() {
		v, err := buffer32(p, func(v []float32) error { return w.Get(p, v) })
		if err != nil {
			t.Fatal(err)
		}
		all[p.Name] = v
	}
	return all
}
