package graph

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/cpu"
	"github.com/cnnctl/cnnctl/cpu/ref"
	"github.com/cnnctl/cnnctl/device"
)

// The calls of an evaluation, and what they derive from the weights.
func TestWhatFolds(t *testing.T) {
	image := Shape{H: 4, W: 4, C: 4}
	conv := Conv2D{Filters: 4, Window: win(3, 1, Same()), NoBias: true}
	depthwise, grouped, pointwise := conv, conv, conv
	depthwise.Groups, grouped.Groups, pointwise.Window = 4, 2, win(1, 1, Valid())
	biased := conv
	biased.NoBias = false
	norm := func(g *Graph, x *Node) *Node { return g.Add("bn", BatchNorm{}, x) }
	for _, c := range []struct {
		name string
		add  func(g *Graph) // layers
		want string         // the calls before the loss, and in brackets the layers whose weights are derived
	}{
		{"conv", func(g *Graph) { g.Add("act", ReLU(), norm(g, g.Add("x", conv, g.Input()))) }, "x [x]"},
		{"conv with a bias", func(g *Graph) { norm(g, g.Add("x", biased, g.Input())) }, "x [x]"},
		{"depthwise", func(g *Graph) { g.Add("act", ReLU6(), norm(g, g.Add("x", depthwise, g.Input()))) }, "x [x]"},
		{"grouped", func(g *Graph) { norm(g, g.Add("x", grouped, g.Input())) }, "x [x]"},
		{"pointwise", func(g *Graph) { norm(g, g.Add("x", pointwise, g.Input())) }, "x [x]"},
		{"fc", func(g *Graph) { g.Add("act", Tanh(), norm(g, g.Add("x", Linear{Out: 3}, g.Input()))) }, "x [x]"},
		{"a sum", func(g *Graph) {
			g.Add("act", ReLU(), g.Add("sum", Add{}, norm(g, g.Add("x", conv, g.Input())), g.Input()))
		}, "x [x]"},
		{"a sum of two", func(g *Graph) { // the later one adds the earlier one
			y := norm(g, g.Add("x", conv, g.Input()))
			g.Add("act", ReLU(), g.Add("sum", Add{}, y, g.Add("bn2", BatchNorm{}, g.Add("y", conv, g.Input()))))
		}, "x y [x y]"},
		{"two sums", func(g *Graph) {
			y := g.Add("sum", Add{}, g.Add("x", conv, g.Input()), g.Input())
			g.Add("sum2", Add{}, g.Input(), y)
		}, "x sum2 []"},
		{"a sum with what comes later", func(g *Graph) {
			x := g.Add("x", conv, g.Input())
			g.Add("sum", Add{}, x, g.Add("pool", MaxPool{win(3, 1, Same())}, g.Input()))
		}, "x pool sum []"},
		{"a sum with itself", func(g *Graph) { x := g.Add("x", conv, g.Input()); g.Add("sum", Add{}, x, x) }, "x sum []"},
		{"a sum behind an activation", func(g *Graph) { g.Add("sum", Add{}, g.Add("act", ReLU(), g.Add("x", conv, g.Input())), g.Input()) }, "x sum []"},
		{"another reader", func(g *Graph) { x := g.Add("x", conv, g.Input()); g.Add("sum", Add{}, norm(g, x), x) }, "x bn []"},
		{"another reader of the norm", func(g *Graph) {
			x := norm(g, g.Add("x", conv, g.Input()))
			g.Add("both", Concat{}, g.Add("act", ReLU(), x), x)
		}, "x act both both [x]"},
		{"an activation first", func(g *Graph) { norm(g, g.Add("act", ReLU(), g.Add("x", conv, g.Input()))) }, "x bn []"},
		{"a second norm", func(g *Graph) { g.Add("bn2", BatchNorm{}, norm(g, g.Add("x", conv, g.Input()))) }, "x bn2 [x]"},
		{"a norm of pixels", func(g *Graph) { norm(g, g.Add("flat", Flatten{}, g.Add("x", conv, g.Input()))) }, "x bn []"},
		{"pooling", func(g *Graph) { norm(g, g.Add("pool", MaxPool{win(2, 2, Valid())}, g.Input())) }, "pool bn []"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := New(image)
			c.add(g)
			e, plan, err := dryRun(g, ref.New(), InferConfig{Batch: 2}.config())
			if err != nil {
				t.Fatal(err)
			}
			var calls, derived []string
			for _, c := range e.calls[:len(e.calls)-1] {
				calls = append(calls, c.node.Name)
			}
			var folded int64
			for _, n := range g.nodes {
				if e.folded[n.index] != nil {
					derived = append(derived, n.Name)
					folded += device.AlignUp(4*int64(n.Params[0].Len())) + device.AlignUp(4*int64(n.Params[0].Dims[0]))
				}
			}
			if got := fmt.Sprint(strings.Join(calls, " "), " ", derived); got != c.want {
				t.Errorf("calls of %s, want %s", got, c.want)
			}
			var bytes int64
			for k, b := range e.bufs {
				if k.kind == bufFolded {
					bytes += b.size()
				}
			}
			if bytes != folded || plan.Memory.Activations < folded {
				t.Errorf("%d bytes of derived weights among %d, want %d", bytes, plan.Memory.Activations, folded)
			}

			// What runs separately are features: the outputs of a layer are those of a training.
			dev := cpu.New(2)
			defer dev.Close()
			w, err := NewWeights(g, dev)
			if err != nil {
				t.Fatal(err)
			}
			draws := randomWeights(t, g, ref.New())
			for _, p := range g.Params() {
				v, err := buffer32(p, func(v []float32) error { return draws.Get(p, v) })
				if err == nil {
					err = w.Set(p, v)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			f, err := CompileFeatures(g, w, g.Output(), InferConfig{Batch: 2})
			if err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(f.calls, func(c callRecord) bool { return c.node == nil }) || len(f.derive) > 0 {
				t.Error("features have a loss or derived weights")
			}
			x, y := randomBatch(g, 2)
			want := make([]float32, len(y))
			if err := f.Run(x, want); err != nil {
				t.Fatal(err)
			}
			largest := float32(0)
			for _, v := range want {
				largest = max(largest, v, -v)
			}
			for i, got := range logits(t, g, w, InferConfig{Batch: 2}) {
				if !(math.Abs(float64(got-want[i])) <= 1e-5*float64(largest)) {
					t.Fatalf("logit %d is %v, by separate calls %v", i, got, want[i])
				}
			}
		})
	}
}

// logits evaluates w by a program that has never seen other weights.
func logits(t *testing.T, g *Graph, w *Weights, c InferConfig) []float32 {
	t.Helper()
	inf, err := CompileInference(g, w, c)
	if err != nil {
		t.Fatal(err)
	}
	return answers(t, inf)
}

func answers(t *testing.T, inf *Inference) []float32 {
	t.Helper()
	x, y := randomBatch(inf.weights.g, inf.batch)
	v := make([]float32, len(y))
	if _, err := inf.Run(x, y, v); err != nil {
		t.Fatal(err)
	}
	return v
}

// counting is the oracle as a device that counts how often batch norms are folded.
type counting struct {
	*ref.Device
	folds *int
}

func (d counting) Bind(c device.Call) (device.Step, error) {
	step, err := d.Device.Bind(c)
	if _, ok := c.(device.FoldBatchNorm); !ok || err != nil {
		return step, err
	}
	return func() error { *d.folds++; return step() }, nil
}

// Batches of the same weights share what is derived from them.
func TestFoldsOncePerWeights(t *testing.T) {
	g := trunkAndHead()
	w := randomWeights(t, g, ref.New())
	folds := 0
	w.dev = counting{w.dev.(*ref.Device), &folds}
	inf, err := CompileInference(g, w, InferConfig{Batch: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		if i == 3 {
			if err := w.Init(1); err != nil {
				t.Fatal(err)
			}
		}
		answers(t, inf)
		if want := 1 + i/3; folds != want {
			t.Fatalf("%d batches: the batch norm was folded %d times, want %d", i+1, folds, want)
		}
	}
}

// Whatever changes weights, a program that was compiled and run before answers as one that sees only the new ones.
func TestEvaluationFollowsTheWeights(t *testing.T) {
	for _, p := range []device.Precision{device.FP32, device.BF16} {
		t.Run(p.String(), func(t *testing.T) {
			g := New(Shape{H: 4, W: 4, C: 3})
			x := g.Add("bn1", BatchNorm{}, g.Add("conv", Conv2D{Filters: 8, Window: win(3, 1, Same())}, g.Input()))
			x = g.Add("bn2", BatchNorm{}, g.Add("fc", Linear{Out: 6}, g.Add("relu", ReLU(), x)))
			g.Add("head", Linear{Out: 5}, x)
			param := func(name string) *Param {
				return g.params[slices.IndexFunc(g.params, func(p *Param) bool { return p.Name == name })]
			}
			w := randomWeights(t, g, ref.New())
			tr, err := CompileTraining(g, w, TrainConfig{Batch: 2, Precision: p, Optimizer: SGD{}, EMA: true})
			if err != nil {
				t.Fatal(err)
			}
			c := InferConfig{2, p}
			sets := []*Weights{w, tr.EMA()}
			var programs [2]*Inference
			var last [2][]float32
			for i, w := range sets {
				if programs[i], err = CompileInference(g, w, c); err != nil {
					t.Fatal(err)
				}
				last[i] = answers(t, programs[i])
			}
			images, y := randomBatch(g, 2)
			for _, k := range []struct {
				name    string
				change  func() error
				changes [2]bool // weights, average
			}{
				{"nothing", func() error { return nil }, [2]bool{}},
				{"Set", func() error { return w.Set(param("bn1.weight"), []float32{1, 2, 3, 4, 5, 6, 7, 8}) }, [2]bool{true, false}},
				{"SetPart", func() error { return w.SetPart(param("fc.weight"), 5, []float32{9, 9}) }, [2]bool{true, false}},
				{"Draw", func() error { return w.Draw(param("conv.weight"), 3) }, [2]bool{true, false}},
				{"Set of the average", func() error { return tr.EMA().Set(param("bn1.running_mean"), make([]float32, 8)) }, [2]bool{false, true}},
				{"Step", func() error { return tr.Step(images, y, 0, 0.1, 0.5) }, [2]bool{true, true}},
				{"Step without a rate", func() error { return tr.Step(images, y, 1, 0, 1) }, [2]bool{true, false}}, // running statistics
				{"FindNonFinite", func() error { _, err := tr.FindNonFinite(); return err }, [2]bool{true, false}},
				{"Profile", func() error { _, err := tr.Profile(1); return err }, [2]bool{true, false}},
				{"Init", func() error { return w.Init(8) }, [2]bool{true, false}},
			} {
				if err := k.change(); err != nil {
					t.Fatal(err)
				}
				for i, w := range sets {
					got := answers(t, programs[i])
					if want := logits(t, g, w, c); !slices.Equal(got, want) {
						t.Errorf("after %s: logits %v of %s, want %v", k.name, got, []string{"the weights", "the average"}[i], want)
					}
					if slices.Equal(got, last[i]) == k.changes[i] {
						t.Errorf("after %s other logits of %s: %v, want %v", k.name, []string{"the weights", "the average"}[i], !k.changes[i], k.changes[i])
					}
					last[i] = got
				}
			}
		})
	}
}
