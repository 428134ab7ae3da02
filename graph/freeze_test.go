package graph

import (
	"slices"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/cpu/ref"
)

// trunkAndHead is a network with one layer of every kind that saves something for its backward pass, and a classifier.
func trunkAndHead() *Graph {
	g := New(Shape{H: 8, W: 8, C: 3})
	x := g.Add("trunk.conv", Conv2D{Filters: 8, Window: win(3, 1, Same())}, g.Input())
	x = g.Add("trunk.bn", BatchNorm{}, x)
	x = g.Add("trunk.relu", ReLU(), x)
	x = g.Add("trunk.lrn", LRN{5, 2, 1e-4, 0.75}, x)
	x = g.Add("trunk.pool", MaxPool{win(2, 2, Valid())}, x)
	x = g.Add("trunk.conv2", Conv2D{Filters: 8, Window: win(3, 1, Same())}, x)
	x = g.Add("trunk.tanh", Tanh(), x)
	x = g.Add("head.fc1", Linear{Out: 16}, x)
	x = g.Add("head.relu", ReLU(), x)
	g.Add("head.fc2", Linear{Out: 5}, x)
	return g
}

func inTrunk(p *Param) bool { return strings.HasPrefix(p.Name, "trunk.") }

// Freezing a trunk removes its backward pass and what was saved for it, and leaves its parameters and statistics alone.
func TestFrozenTrunkCostsNothing(t *testing.T) {
	g := trunkAndHead()
	c := TrainConfig{Batch: 4, Optimizer: SGD{Momentum: 0.9}}
	full, err := PlanTraining(g, ref.New(), c)
	if err != nil {
		t.Fatal(err)
	}
	g.Freeze(inTrunk)
	e, plan, err := dryRun(g, ref.New(), c.config())
	if err != nil {
		t.Fatal(err)
	}
	var trained []string
	for _, call := range e.calls {
		if call.pass == backward && call.node != nil && !slices.Contains(trained, call.node.Name) {
			trained = append(trained, call.node.Name)
		}
	}
	if want := []string{"head.fc2", "head.relu", "head.fc1"}; !slices.Equal(trained, want) {
		t.Errorf("backward calls for %v, want %v", trained, want)
	}
	for k := range e.bufs {
		if k.kind == bufSaved || k.kind == bufGrad && strings.HasPrefix(g.nodes[k.node].Name, "trunk.") {
			t.Errorf("memory of kind %d for %s, which is frozen", k.kind, g.nodes[k.node].Name)
		}
	}
	inference, err := PlanInference(g, ref.New(), InferConfig{Batch: c.Batch})
	if err != nil {
		t.Fatal(err)
	}
	// The peak lies in the trunk and is that of evaluation; what the head adds is small.
	if limit := inference.Memory.Activations * 11 / 10; plan.Memory.Activations > limit || 2*plan.Memory.Activations > full.Memory.Activations {
		t.Errorf("%d bytes of activations, want at most %d (evaluation takes %d, training all layers %d)",
			plan.Memory.Activations, limit, inference.Memory.Activations, full.Memory.Activations)
	}
	const head = 4 * (16*4*4*8 + 64 + 128 + 64) // fc1 weight and bias, fc2 weight and bias, in blocks of 64 values
	if plan.Memory.Gradients != head || plan.Memory.Optimizer != head || plan.Memory.Weights != full.Memory.Weights {
		t.Errorf("%d bytes of gradients, %d of optimiser state, %d of weights, want %d, %d, %d", plan.Memory.Gradients, plan.Memory.Optimizer,
			plan.Memory.Weights, head, head, full.Memory.Weights)
	}
	if all, trained := g.NumParams(); trained != 16*4*4*8+16+5*16+5 || all <= trained {
		t.Errorf("%d parameters, %d of them trained", all, trained)
	}

	r := newRig(t, g, c)
	before := slices.Clone(r.dev.Float64s(r.w.slab))
	if err := r.tr.Step(r.x, r.y, 0, 0.1, 0); err != nil {
		t.Fatal(err)
	}
	after := r.dev.Float64s(r.w.slab)
	for _, p := range g.Params() {
		off := r.w.off[p.index]
		changed := !slices.Equal(before[off:][:p.Len()], after[off:][:p.Len()])
		if changed == inTrunk(p) {
			t.Errorf("%s changed: %v", p.Name, changed)
		}
		if _, err := buffer32(p, func(v []float32) error { return r.tr.Gradient(p, v) }); (err == nil) == inTrunk(p) {
			t.Errorf("gradient of %s: error %v", p.Name, err)
		}
	}
	r.check()
}

// buffer32 calls get with memory for p.
func buffer32(p *Param, get func([]float32) error) ([]float32, error) {
	v := make([]float32, p.Len())
	return v, get(v)
}

// Weights belong to the frozen set that they were made for. Sets of equal size are no exception, and asking does not disturb the weights.
func TestFreezeAfterWeights(t *testing.T) {
	g := New(Shape{H: 1, W: 1, C: 4, Flat: true})
	x := g.Add("a", Linear{Out: 4, NoBias: true}, g.Input())
	x = g.Add("b", Linear{Out: 4, NoBias: true}, x)
	g.Add("c", Linear{Out: 4, NoBias: true}, x)
	freeze := func(name string) { g.Freeze(func(p *Param) bool { return p.Name == name+".weight" }) }
	c := TrainConfig{Batch: 2, Optimizer: SGD{}}
	freeze("a")
	r := newRig(t, g, c)
	values := func() (v []float32) {
		for _, p := range g.Params() {
			one, err := buffer32(p, func(v []float32) error { return r.w.Get(p, v) })
			if err != nil {
				t.Fatal(err)
			}
			v = append(v, one...)
		}
		return v
	}
	before := values()
	for _, name := range []string{"none", "b", "c"} {
		freeze(name)
		if _, err := CompileTraining(g, r.w, c); err == nil || !strings.Contains(err.Error(), "frozen or thawed") {
			t.Errorf("training with %s frozen in place of a: error %v", name, err)
		}
		if _, err := CompileInference(g, r.w, InferConfig{Batch: 2}); err == nil || !strings.Contains(err.Error(), "frozen or thawed") {
			t.Errorf("evaluation with %s frozen in place of a: error %v", name, err)
		}
		if !slices.Equal(values(), before) {
			t.Fatalf("freezing %s moved the weights", name)
		}
	}
	freeze("a")
	if _, err := CompileTraining(g, r.w, c); err != nil {
		t.Errorf("with the original set: %v", err)
	}
}

func TestNothingToTrain(t *testing.T) {
	g := trunkAndHead()
	g.Freeze(func(*Param) bool { return true })
	w, err := NewWeights(g, ref.New())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CompileTraining(g, w, TrainConfig{Batch: 1, Optimizer: SGD{}}); err == nil || !strings.Contains(err.Error(), "nothing to train") {
		t.Errorf("training: error %v", err)
	}
	if _, err := CompileInference(g, w, InferConfig{Batch: 1}); err != nil {
		t.Errorf("evaluation: %v", err)
	}
}

// Evaluation of a network that only passes its input on.
func TestGraphOfViews(t *testing.T) {
	g := New(Shape{H: 1, W: 2, C: 2})
	g.Add("flatten", Flatten{}, g.Input())
	w, err := NewWeights(g, ref.New())
	if err != nil {
		t.Fatal(err)
	}
	p, err := CompileInference(g, w, InferConfig{Batch: 1})
	if err != nil {
		t.Fatal(err)
	}
	x, got := []float32{1, 4, 2, 3}, make([]float32, 4)
	s, err := p.Run(x, []float32{0, 1, 0, 0}, got)
	if err != nil || !slices.Equal(got, x) || s.Top1 != 1 {
		t.Errorf("logits %v, %+v, %v, want the input and a right answer", got, s, err)
	}
}

func TestRequestsThatCannotBe(t *testing.T) {
	g, other := trunkAndHead(), trunkAndHead()
	r := newRig(t, g, TrainConfig{Batch: 2, Optimizer: AdamW{0.9, 0.999, 1e-8}})
	p := g.Params()[0]
	v := make([]float32, p.Len())
	c := TrainConfig{Batch: 2, Optimizer: SGD{}}
	compile := func(g *Graph, c TrainConfig) error { _, err := CompileTraining(g, r.w, c); return err }
	single := New(Shape{H: 1, W: 1, C: 3, Flat: true})
	single.Add("bn", BatchNorm{}, single.Input())
	_, noVariance := PlanTraining(single, r.dev, TrainConfig{Batch: 1, Optimizer: SGD{}})
	for _, q := range []struct {
		err  error
		want string
	}{
		{compile(other, c), "another graph"},
		{compile(g, TrainConfig{Optimizer: SGD{}}), "batch size 0"},
		{compile(g, TrainConfig{Batch: 2}), "without an optimizer"},
		{compile(g, TrainConfig{Batch: 2, Optimizer: SGD{}, LabelSmoothing: 1}), "label smoothing"},
		{r.w.Set(other.Params()[0], v), "another graph"},
		{r.w.Get(p, v[1:]), "wanted"},
		{r.w.Set(p, v[1:]), "wanted"},
		{r.tr.Gradient(p, v[1:]), "wanted"},
		{r.tr.GetState(0, g.Params()[bnMean+2], make([]float32, 8)), "not trained"},
		{r.tr.SetState(1, other.Params()[0], v), "another graph"},
		{r.tr.Step(r.x[1:], r.y, 0, 0, 0), "wanted"},
		{r.tr.Step(r.x, r.y[1:], 0, 0, 0), "wanted"},
		{noVariance, "batch size of at least 2"},
	} {
		if q.err == nil || !strings.Contains(q.err.Error(), q.want) {
			t.Errorf("error %v, want one that says %q", q.err, q.want)
		}
	}
}
