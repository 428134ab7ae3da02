package graph

import (
	"slices"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/cpu"
)

func TestCut(t *testing.T) {
	frozen := func(names ...string) func(*Graph) {
		return func(g *Graph) { g.Freeze(func(p *Param) bool { return slices.Contains(names, p.Node().Name) }) }
	}
	branched := New(Shape{H: 4, W: 4, C: 3})
	a := branched.Add("a", Conv2D{Filters: 3, Window: win(1, 1, Valid())}, branched.Input())
	b := branched.Add("b", Conv2D{Filters: 3, Window: win(1, 1, Valid())}, a)
	sum := branched.Add("sum", Add{}, b, a)
	branched.Add("fc", Linear{Out: 2}, branched.Add("drop", Dropout{P: 0.5}, sum))
	for _, c := range []struct {
		g      *Graph
		freeze func(*Graph)
		want   string
	}{
		{trunkAndHead(), frozen(), "input"},
		{trunkAndHead(), frozen("trunk.conv"), "trunk.conv"},
		{trunkAndHead(), frozen("trunk.conv", "trunk.bn"), "trunk.pool"},
		{trunkAndHead(), frozen("trunk.conv", "trunk.bn", "trunk.conv2"), "trunk.tanh"},
		{trunkAndHead(), frozen("trunk.conv", "trunk.bn", "trunk.conv2", "head.fc1"), "head.relu"},
		{trunkAndHead(), func(g *Graph) { g.Thaw(thawTrunk) }, "trunk.pool"}, // conv2 thaws later
		{branched, frozen("a"), "a"},
		{branched, frozen("a", "b", "fc"), "sum"}, // behind it something is drawn
	} {
		c.freeze(c.g)
		if got := c.g.Cut().Name; got != c.want {
			t.Errorf("cut behind %s, want %s", got, c.want)
		}
	}
	if _, err := branched.Tail(b); err == nil {
		t.Error("the layers behind b read a as well, and yet they are a network")
	}
	if _, err := branched.Tail(branched.Output()); err == nil {
		t.Error("there is nothing behind the output, and yet it is a network")
	}
}

// Training the tail on the outputs of the cut gives the weights that training the whole network gives, dropout and moving average included.
func TestTailTrainsAsTheWhole(t *testing.T) {
	build := func() *Graph {
		g := New(Shape{H: 8, W: 8, C: 3})
		x := g.Add("conv", Conv2D{Filters: 8, Window: win(3, 1, Same())}, g.Input())
		x = g.Add("bn", BatchNorm{}, x)
		x = g.Add("relu", ReLU(), x)
		x = g.Add("flatten", Flatten{}, x)
		x = g.Add("drop", Dropout{P: 0.5}, x)
		x = g.Add("fc1", Linear{Out: 16}, x)
		x = g.Add("relu1", ReLU(), x)
		x = g.Add("drop2", Dropout{P: 0.2}, x)
		g.Add("fc2", Linear{Out: 5}, x)
		g.Freeze(func(p *Param) bool { return !strings.HasPrefix(p.Name, "fc2") })
		return g
	}
	c := TrainConfig{Batch: 4, Seed: 9, Optimizer: SGD{Momentum: 0.9}, EMA: true}
	g := build()
	dev := cpu.New(2) // the oracle's outputs would be rounded on their way through the host
	defer dev.Close()
	w, err := NewWeights(g, dev)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Init(1); err != nil {
		t.Fatal(err)
	}
	cut := g.Cut()
	if cut.Name != "flatten" {
		t.Fatalf("cut behind %s", cut.Name)
	}
	tail, err := g.Tail(cut)
	if err != nil {
		t.Fatal(err)
	}
	wt, err := NewWeights(tail, dev)
	if err != nil {
		t.Fatal(err)
	}
	all := values(t, w)
	for _, p := range tail.Params() {
		if err := wt.Set(p, all[p.Name]); err != nil {
			t.Fatal(err)
		}
	}
	f, err := CompileFeatures(g, w, cut, InferConfig{Batch: c.Batch})
	if err != nil {
		t.Fatal(err)
	}
	if f.Size() != 8*8*8 {
		t.Fatalf("%d features of an image, want 512", f.Size())
	}
	whole, err := CompileTraining(g, w, c)
	if err != nil {
		t.Fatal(err)
	}
	part, err := CompileTraining(tail, wt, c)
	if err != nil {
		t.Fatal(err)
	}
	x, y := randomBatch(g, c.Batch)
	features := make([]float32, c.Batch*f.Size())
	if err := f.Run(x, features); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := whole.Step(x, y, i, 0.05, 0.9); err != nil {
			t.Fatal(err)
		}
		if err := part.Step(features, y, i, 0.05, 0.9); err != nil {
			t.Fatal(err)
		}
	}
	want, wantEMA := values(t, w), values(t, whole.EMA())
	for name, v := range values(t, wt) {
		if !slices.Equal(v, want[name]) {
			t.Errorf("%s differs", name)
		}
	}
	for name, v := range values(t, part.EMA()) {
		if !slices.Equal(v, wantEMA[name]) {
			t.Errorf("the average of %s differs", name)
		}
	}
	if slices.Equal(all["fc2.weight"], want["fc2.weight"]) {
		t.Error("nothing was trained")
	}
}

// Features are the outputs of the layer itself: of a convolution before the activation that would have been fused into it.
func TestFeatures(t *testing.T) {
	dev := cpu.New(2)
	defer dev.Close()
	g := New(Shape{H: 4, W: 4, C: 3})
	conv := g.Add("conv", Conv2D{Filters: 4, Window: win(3, 1, Same())}, g.Input())
	relu := g.Add("relu", ReLU(), conv)
	g.Add("fc", Linear{Out: 3}, relu)
	w, err := NewWeights(g, dev)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Init(3); err != nil {
		t.Fatal(err)
	}
	x, _ := randomBatch(g, 2)
	out := map[*Node][]float32{}
	for _, n := range []*Node{conv, relu} {
		f, err := CompileFeatures(g, w, n, InferConfig{Batch: 2})
		if err != nil {
			t.Fatal(err)
		}
		out[n] = make([]float32, 2*f.Size())
		if err := f.Run(x, out[n]); err != nil {
			t.Fatal(err)
		}
		if err := f.Run(x, out[n][1:]); err == nil {
			t.Error("memory of the wrong size was accepted")
		}
	}
	negative := 0
	for i, v := range out[conv] {
		if v < 0 {
			negative++
		}
		if got := out[relu][i]; got != max(v, 0) {
			t.Fatalf("element %d: %v before the ReLU, %v after it", i, v, got)
		}
	}
	if negative == 0 {
		t.Error("no negative output: the test tests nothing")
	}
	if _, err := CompileFeatures(g, w, g.Input(), InferConfig{Batch: 2}); err == nil {
		t.Error("the input was taken for a layer")
	}
}
