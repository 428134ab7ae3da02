package graph

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/cpu/ref"
	"github.com/cnnctl/cnnctl/device"
)

// apart hides from an op's neighbours that it could apply the activation that follows it.
func apart(op Op) Op {
	if _, ok := op.(fuser); ok {
		return unfused{op}
	}
	return op
}

// An activation in the epilogue of the layer before it gives the same bits as a call of its own, forward and backward, and so does a sum in that of a batch
// norm. A batch norm in the weights of the layer before it, a sum in the epilogue of that layer, and the gradient of a max-pooling in that of a batch norm round
// otherwise, and no more than that.
func TestFusionChangesNothing(t *testing.T) {
	fused, joined, pooled, folded, added := 0, 0, 0, 0, 0
	for seed := range randomGraphs {
		g, h := randomGraph(seed), randomGraphOf(seed, apart)
		for i, n := range g.Nodes() {
			if a, ok := n.Op.(Activation); ok && a.Kind != device.Identity && calls(t, g, i) < calls(t, h, i) {
				fused++
			}
			if _, ok := n.Op.(Add); ok && calls(t, g, i) < calls(t, h, i) {
				joined++
			}
		}
		training, _, err := dryRun(g, ref.New(), TrainConfig{Batch: 2, Optimizer: SGD{}}.config())
		if err != nil {
			t.Fatal(err)
		}
		got, evaluation := trainedBits(t, g, device.FP32, false)
		want, separate := trainedBits(t, h, device.FP32, false)
		tolerance := 1e-12
		if n := len(g.nodes) - count(training.pooled, nil); n > 0 {
			pooled += n
			tolerance = 1e-9 // AdamW divides a gradient by its size, and so makes steps of the rounding of one that is zero, that of a bias before a batch norm
			alike(t, seed, "training", got, want, tolerance)
		} else if !slices.Equal(got, want) {
			t.Fatalf("graph %d: fusing changes the result", seed)
		}
		alike(t, seed, "evaluation", evaluation, separate, tolerance)
		e, _, err := dryRun(g, ref.New(), InferConfig{Batch: 2}.config())
		if err != nil {
			t.Fatal(err)
		}
		folded += len(g.nodes) - count(e.folded, nil)
		added += len(g.nodes) - count(e.added, nil)
	}
	if fused < 100 || joined < 50 || pooled < 20 || folded < 10 || added < 100 {
		t.Errorf("%d activations, %d sums and %d poolings in training, %d batch norms and %d sums in evaluation were fused: the graphs are too simple to show anything",
			fused, joined, pooled, folded, added)
	}
}

// alike fails if values of a graph differ from those of separate calls by more than tolerance, relative to the largest.
func alike(t *testing.T, seed int, what string, fused, separate []float64, tolerance float64) {
	t.Helper()
	largest := 1.0
	for _, v := range separate {
		largest = max(largest, math.Abs(v))
	}
	for i, v := range fused {
		if d := math.Abs(v - separate[i]); !(d <= tolerance*largest) {
			t.Fatalf("graph %d: fused, value %d of the %s is %v, and by separate calls %v", seed, i, what, v, separate[i])
		}
	}
}

// count returns how many elements of list are v.
func count[T comparable](list []T, v T) (n int) {
	for _, x := range list {
		if x == v {
			n++
		}
	}
	return n
}

// calls counts the calls of node i in a training program.
func calls(t *testing.T, g *Graph, i int) int {
	t.Helper()
	e, _, err := dryRun(g, ref.New(), TrainConfig{Batch: 2, Optimizer: SGD{}}.config())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range e.calls {
		if c.node == g.nodes[i] {
			n++
		}
	}
	return n
}

// What may fuse: an activation that alone reads a convolution, a fully connected layer, a batch norm or a sum.
func TestWhatFuses(t *testing.T) {
	image := Shape{H: 4, W: 4, C: 2}
	for _, c := range []struct {
		name string
		add  func(g *Graph) (act *Node)
		want bool
	}{
		{"conv", func(g *Graph) *Node {
			return g.Add("act", ReLU(), g.Add("x", Conv2D{Filters: 2, Window: win(1, 1, Valid())}, g.Input()))
		}, true},
		{"fc", func(g *Graph) *Node { return g.Add("act", Tanh(), g.Add("x", Linear{Out: 2}, g.Input())) }, true},
		{"add", func(g *Graph) *Node { return g.Add("act", ReLU6(), g.Add("x", Add{}, g.Input(), g.Input())) }, true},
		{"batch norm", func(g *Graph) *Node { return g.Add("act", ReLU6(), g.Add("x", BatchNorm{}, g.Input())) }, true},
		{"max-pool", func(g *Graph) *Node { return g.Add("act", ReLU(), g.Add("x", MaxPool{win(2, 2, Valid())}, g.Input())) }, false},
		{"second activation", func(g *Graph) *Node {
			return g.Add("act", Tanh(), g.Add("first", ReLU(), g.Add("x", Linear{Out: 2}, g.Input())))
		}, false},
		{"another reader", func(g *Graph) *Node {
			x := g.Add("x", Linear{Out: 2}, g.Input())
			return g.Add("sum", Add{}, g.Add("act", Sigmoid(), x), x).In[0]
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := New(image)
			act := c.add(g)
			e, _, err := dryRun(g, ref.New(), &config{batch: 1})
			if err != nil {
				t.Fatal(err)
			}
			own := slices.ContainsFunc(e.calls, func(c callRecord) bool { return c.node == act })
			if own == c.want {
				t.Errorf("the activation has a call of its own: %v, want %v", own, !c.want)
			}
		})
	}
}

// A sum becomes a part of the batch norm right before it, and the activation after it too, forward and backward.
func TestWhatJoins(t *testing.T) {
	image := Shape{H: 4, W: 4, C: 2}
	conv := Conv2D{Filters: 2, Window: win(1, 1, Valid()), NoBias: true}
	norm := func(g *Graph, name string, x *Node) *Node {
		return g.Add(name, BatchNorm{}, g.Add(name+".conv", conv, x))
	}
	for _, c := range []struct {
		name string
		add  func(g *Graph, x *Node) (sum *Node)
		want bool
	}{
		{"after the shortcut", func(g *Graph, x *Node) *Node { return g.Add("sum", Add{}, norm(g, "bn", x), x) }, true},
		{"in the other order", func(g *Graph, x *Node) *Node { return g.Add("sum", Add{}, x, norm(g, "bn", x)) }, true},
		{"two batch norms", func(g *Graph, x *Node) *Node { return g.Add("sum", Add{}, norm(g, "a", x), norm(g, "b", x)) }, true},
		{"before the shortcut", func(g *Graph, x *Node) *Node {
			y := norm(g, "bn", x)
			return g.Add("sum", Add{}, y, g.Add("shortcut", conv, x))
		}, false},
		{"twice the same", func(g *Graph, x *Node) *Node {
			y := norm(g, "bn", x)
			return g.Add("sum", Add{}, y, y)
		}, false},
		{"another reader", func(g *Graph, x *Node) *Node {
			y := norm(g, "bn", x)
			sum := g.Add("sum", Add{}, y, x)
			g.Add("other", Add{}, g.Add("relu", ReLU(), sum), y)
			return sum
		}, false},
		{"an activation before the sum", func(g *Graph, x *Node) *Node { return g.Add("sum", Add{}, g.Add("act", ReLU(), norm(g, "bn", x)), x) }, false},
		{"nothing trained in the batch norm's branch", func(g *Graph, x *Node) *Node {
			y := g.Add("source", conv, x)
			return g.Add("sum", Add{}, y, norm(g, "frozen", g.Input()))
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := New(image)
			sum := c.add(g, g.Add("x", conv, g.Input()))
			act := g.Output()
			if act == sum {
				act = g.Add("relu", ReLU(), sum)
			}
			g.Add("head", Linear{Out: 3}, act)
			g.Freeze(func(p *Param) bool { return strings.HasPrefix(p.Name, "frozen") })
			own, ownAct := calls(t, g, sum.index), calls(t, g, act.index)
			if joined := own == 0; joined != c.want {
				t.Errorf("the sum has %d calls of its own, want it joined: %v", own, c.want)
			}
			if c.want && ownAct != 0 {
				t.Errorf("the activation has %d calls of its own, want none", ownAct)
			}
			newRig(t, g, TrainConfig{Batch: 2}).check()
		})
	}
}

// A max-pooling becomes a part of the batch norm before it, forward and backward, if no one else reads what is pooled.
func TestWhatPools(t *testing.T) {
	conv := Conv2D{Filters: 2, Window: win(1, 1, Valid()), NoBias: true}
	overlapping := MaxPool{win(3, 2, Same())}
	norm := func(g *Graph, name string, x *Node) *Node {
		return g.Add(name, BatchNorm{}, g.Add(name+".conv", conv, x))
	}
	for _, c := range []struct {
		name string
		add  func(g *Graph, x *Node) (pool *Node)
		want bool
	}{
		{"batch norm", func(g *Graph, x *Node) *Node { return g.Add("pool", overlapping, norm(g, "bn", x)) }, true},
		{"batch norm of the input", func(g *Graph, x *Node) *Node {
			pool := g.Add("pool", overlapping, g.Add("bn", BatchNorm{}, g.Input()))
			g.Add("sum", Add{}, pool, g.Add("other", overlapping, x))
			return pool
		}, true},
		{"activation between", func(g *Graph, x *Node) *Node {
			return g.Add("pool", MaxPool{win(2, 2, Valid())}, g.Add("act", Tanh(), norm(g, "bn", x)))
		}, true},
		{"activation behind", func(g *Graph, x *Node) *Node {
			pool := g.Add("pool", overlapping, norm(g, "bn", x))
			g.Add("act", ReLU(), pool)
			return pool
		}, true},
		{"sum between", func(g *Graph, x *Node) *Node {
			return g.Add("pool", overlapping, g.Add("sum", Add{}, norm(g, "bn", x), x))
		}, false},
		{"another reader of the batch norm", func(g *Graph, x *Node) *Node {
			y := norm(g, "bn", x)
			pool := g.Add("pool", overlapping, g.Add("act", ReLU(), y))
			g.Add("sum", Add{}, pool, g.Add("other", overlapping, y))
			return pool
		}, false},
		{"another reader of the activation", func(g *Graph, x *Node) *Node {
			y := g.Add("act", ReLU(), norm(g, "bn", x))
			pool := g.Add("pool", overlapping, y)
			g.Add("sum", Add{}, pool, g.Add("other", AvgPool{Window: win(3, 2, Same())}, y))
			return pool
		}, false},
		{"another reader of the input", func(g *Graph, x *Node) *Node {
			pool := g.Add("pool", overlapping, g.Add("bn", BatchNorm{}, x))
			g.Add("sum", Add{}, pool, g.Add("other", AvgPool{Window: win(3, 2, Same())}, x))
			return pool
		}, true},
		{"frozen", func(g *Graph, x *Node) *Node { return g.Add("pool", overlapping, norm(g, "frozen", x)) }, false},
		{"convolution", func(g *Graph, x *Node) *Node {
			return g.Add("pool", overlapping, g.Add("act", ReLU(), g.Add("y", conv, x)))
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := New(Shape{H: 5, W: 4, C: 2})
			pool := c.add(g, g.Add("x", conv, g.Input()))
			g.Add("head", Linear{Out: 3}, g.Output())
			g.Freeze(func(p *Param) bool { return strings.HasPrefix(p.Name, "frozen") })
			if own := calls(t, g, pool.index); own == 0 != c.want {
				t.Errorf("the pooling has %d calls of its own, want it in the batch norm's: %v", own, c.want)
			}
			newRig(t, g, TrainConfig{Batch: 2}).check()
		})
	}
}
