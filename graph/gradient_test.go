package graph

import (
	"fmt"
	"slices"
	"testing"
)

func win(size, stride int, pad Padding) Window {
	return Window{Size: [2]int{size}, Stride: [2]int{stride}, Pad: pad}
}

// Every op between a layer below, whose gradient is the op's input gradient, and a fully connected layer with the loss above.
func TestGradients(t *testing.T) {
	image := Shape{H: 5, W: 6, C: 4}
	vector := Shape{H: 1, W: 1, C: 7, Flat: true}
	one := func(s Shape) []Shape { return []Shape{s} }
	for _, c := range []struct {
		name string
		in   []Shape
		op   Op
	}{
		{"conv 1x1", one(image), Conv2D{Filters: 3, Window: win(1, 1, Valid())}},
		{"conv 3x3 valid", one(image), Conv2D{Filters: 2, Window: win(3, 1, Valid())}},
		{"conv without bias", one(image), Conv2D{Filters: 2, Window: win(2, 1, Valid()), NoBias: true}},
		{"conv same", one(image), Conv2D{Filters: 2, Window: win(3, 1, Same())}},
		{"conv even same stride 2", one(image), Conv2D{Filters: 2, Window: win(4, 2, Same())}},
		{"conv full", one(image), Conv2D{Filters: 2, Window: win(3, 1, Full())}},
		{"conv full stride 2 dilation 2", one(image), Conv2D{Filters: 2, Window: Window{Size: [2]int{3, 2}, Stride: [2]int{2, 1}, Dilation: [2]int{2, 2}, Pad: Full()}}},
		{"conv four paddings", one(image), Conv2D{Filters: 2, Window: Window{Size: [2]int{3, 2}, Pad: PadSides(0, 1, 2, 3)}}},
		{"conv 3x2 stride 2x3", one(image), Conv2D{Filters: 2, Window: Window{Size: [2]int{3, 2}, Stride: [2]int{2, 3}, Pad: Pad(1)}}},
		{"conv dilation 2x3", one(image), Conv2D{Filters: 2, Window: Window{Size: [2]int{2, 2}, Dilation: [2]int{2, 3}}}},
		{"conv ceil", one(image), Conv2D{Filters: 2, Window: Window{Size: [2]int{2}, Stride: [2]int{3}, Ceil: true}}},
		{"conv larger than the image", one(Shape{H: 2, W: 3, C: 2}), Conv2D{Filters: 3, Window: win(5, 1, Pad(2))}},
		{"conv groups 2", one(image), Conv2D{Filters: 6, Window: win(3, 1, Pad(1)), Groups: 2}},
		{"conv depthwise", one(image), Conv2D{Filters: 4, Window: win(3, 2, Pad(1)), Groups: 4}},
		{"conv depthwise twice the channels", one(image), Conv2D{Filters: 8, Window: win(3, 1, Valid()), Groups: 4}},
		{"max-pool 2", one(image), MaxPool{win(2, 2, Valid())}},
		{"max-pool 3/2", one(image), MaxPool{win(3, 2, Valid())}},
		{"max-pool 3/2 ceil", one(image), MaxPool{Window{Size: [2]int{3}, Stride: [2]int{2}, Ceil: true}}},
		{"max-pool 3/1 padding", one(image), MaxPool{win(3, 1, Pad(1))}},
		{"max-pool dilated", one(image), MaxPool{Window{Size: [2]int{2}, Stride: [2]int{1}, Dilation: [2]int{2}}}},
		{"avg-pool 2", one(image), AvgPool{Window: win(2, 2, Valid())}},
		{"avg-pool 3/2 ceil", one(image), AvgPool{Window: Window{Size: [2]int{3}, Stride: [2]int{2}, Pad: Pad(1), Ceil: true}}},
		{"avg-pool without padding's zeros", one(image), AvgPool{Window: win(3, 2, PadSides(1, 0, 2, 1)), ExcludePad: true}},
		{"avg-pool 1/2, which takes every second pixel", one(image), AvgPool{Window: win(1, 2, Valid())}},
		{"max-pool wider than the image, ceil", one(Shape{H: 2, W: 3, C: 2}), MaxPool{Window{Size: [2]int{3, 4}, Stride: [2]int{2}, Ceil: true}}},
		{"adaptive down", one(image), AdaptiveAvgPool{P: 2, Q: 4}},
		{"adaptive up", one(image), AdaptiveAvgPool{P: 7, Q: 9}},
		{"global average", one(image), AdaptiveAvgPool{P: 1, Q: 1}},
		{"fc of an image", one(image), Linear{Out: 3}},
		{"fc of a vector without bias", one(vector), Linear{Out: 3, NoBias: true}},
		{"flatten", one(image), Flatten{}},
		{"relu", one(image), ReLU()},
		{"relu6", one(image), ReLU6()},
		{"tanh", one(image), Tanh()},
		{"sigmoid", one(vector), Sigmoid()},
		{"batch norm", one(image), BatchNorm{}},
		{"batch norm of a vector", one(vector), BatchNorm{Eps: 1e-3}},
		{"lrn 5", one(image), LRN{Size: 5, K: 2, Alpha: 0.5, Beta: 0.75}},
		{"lrn 2", one(image), LRN{Size: 2, K: 1, Alpha: 1, Beta: 0.5}},
		{"lrn wider than the image is deep", one(image), LRN{Size: 9, K: 1, Alpha: 0.1, Beta: 1}},
		{"dropout", one(image), Dropout{0.4}},
		{"dropout of nothing", one(image), Dropout{0}},
		{"softmax", one(vector), Softmax{}},
		{"softmax of pixels", one(image), Softmax{}},
		{"add", []Shape{image, image}, Add{}},
		{"concat", []Shape{image, {H: 5, W: 6, C: 1}, {H: 5, W: 6, C: 2}}, Concat{}},
		{"pad channels", one(image), PadChannels{Before: 3, After: 2}},
		{"pad channels on one side", one(image), PadChannels{After: 1}},
		{"concat of vectors", []Shape{vector, vector}, Concat{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			const batch = 3
			g := New(Shape{H: 1, W: 1, C: 1})
			var in []*Node
			for i, s := range c.in {
				std := 1.0
				if c.op == Op(ReLU6()) {
					std = 5 // so that some inputs pass 6
				}
				in = append(in, g.Add(fmt.Sprint("in", i), source{s, batch, std}, g.Input()))
			}
			g.Add("head", Linear{Out: 4}, g.Add("op", c.op, in...))
			newRig(t, g, TrainConfig{Batch: batch}).check()
		})
	}
}

// An output that several layers read collects their gradients: the first writes, the others add. Here every op is a later reader once.
func TestGradientAccumulates(t *testing.T) {
	const batch = 2
	for _, c := range []struct {
		name   string
		reader func(g *Graph, x *Node) *Node
	}{
		{"conv", func(g *Graph, x *Node) *Node { return g.Add("r", Conv2D{Filters: 4, Window: win(3, 1, Same())}, x) }},
		{"max-pool", func(g *Graph, x *Node) *Node { return g.Add("r", MaxPool{win(3, 1, Pad(1))}, x) }},
		{"avg-pool", func(g *Graph, x *Node) *Node { return g.Add("r", AvgPool{Window: win(3, 1, Pad(1))}, x) }},
		{"adaptive", func(g *Graph, x *Node) *Node { return g.Add("r", AdaptiveAvgPool{P: 4, Q: 5}, x) }},
		{"relu6", func(g *Graph, x *Node) *Node { return g.Add("r", ReLU6(), x) }},
		{"batch norm", func(g *Graph, x *Node) *Node { return g.Add("r", BatchNorm{}, x) }},
		{"batch norm and its residual", func(g *Graph, x *Node) *Node {
			return g.Add("r", ReLU(), g.Add("sum", Add{}, g.Add("bn", BatchNorm{}, x), x))
		}},
		{"lrn", func(g *Graph, x *Node) *Node { return g.Add("r", LRN{3, 1, 0.3, 0.75}, x) }},
		{"dropout", func(g *Graph, x *Node) *Node { return g.Add("r", Dropout{0.5}, x) }},
		{"softmax", func(g *Graph, x *Node) *Node { return g.Add("r", Softmax{}, x) }},
		{"add to itself", func(g *Graph, x *Node) *Node { return g.Add("r", Add{}, x, x) }},
		{"pad channels", func(g *Graph, x *Node) *Node {
			return g.Add("back", Conv2D{Filters: 4, Window: win(1, 1, Valid())}, g.Add("r", PadChannels{Before: 1, After: 2}, x))
		}},
		{"concat with itself", func(g *Graph, x *Node) *Node {
			return g.Add("back", Conv2D{Filters: 4, Window: win(1, 1, Valid())}, g.Add("r", Concat{}, x, x))
		}},
	} {
		for _, first := range []bool{false, true} { // whether the op's gradient comes first or second to x
			t.Run(c.name, func(t *testing.T) {
				g := New(Shape{H: 1, W: 1, C: 1})
				x := g.Add("x", source{Shape{H: 4, W: 5, C: 4}, batch, 3}, g.Input())
				var a, b *Node
				if first {
					b = g.Add("tanh", Tanh(), x)
					a = c.reader(g, x)
				} else {
					a = c.reader(g, x)
					b = g.Add("tanh", Tanh(), x)
				}
				y := g.Add("concat", Concat{}, a, b, x) // x has three readers
				g.Add("head", Linear{Out: 3}, y)
				newRig(t, g, TrainConfig{Batch: batch}).check()
			})
		}
	}
}

// An image and its flattened view share memory, and so must their gradients.
func TestGradientThroughViews(t *testing.T) {
	const batch = 2
	g := New(Shape{H: 1, W: 1, C: 1})
	x := g.Add("x", source{Shape{H: 3, W: 2, C: 2}, batch, 1}, g.Input())
	flat := g.Add("flatten", Flatten{}, x)
	again := g.Add("again", Flatten{}, g.Add("dropout", Dropout{0}, flat))
	a := g.Add("a", Linear{Out: 4}, again)
	b := g.Add("b", Linear{Out: 4}, flat)
	c := g.Add("c", Linear{Out: 4}, g.Add("conv", Conv2D{Filters: 2, Window: win(2, 1, Valid())}, x))
	g.Add("sum", Add{}, g.Add("a+b", Add{}, a, b), c)
	newRig(t, g, TrainConfig{Batch: batch}).check()
}

func TestLossGradient(t *testing.T) {
	for _, c := range []struct {
		name      string
		smoothing float32
		change    func(y []float32, classes int)
	}{
		{"soft targets", 0, func([]float32, int) {}},
		{"soft targets, smoothed", 0.3, func([]float32, int) {}},
		{"one-hot", 0, func(y []float32, classes int) { oneHot(y, classes) }},
		{"one-hot, smoothed", 0.1, func(y []float32, classes int) { oneHot(y, classes) }},
		{"a row that does not count", 0.1, func(y []float32, classes int) { clear(y[classes : 2*classes]) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := New(Shape{H: 1, W: 1, C: 1})
			g.Add("logits", source{Shape{H: 1, W: 1, C: 5, Flat: true}, 3, 2}, g.Input())
			r := newRig(t, g, TrainConfig{Batch: 3, LabelSmoothing: c.smoothing})
			c.change(r.y, 5)
			r.check()
		})
	}
}

func oneHot(y []float32, classes int) {
	clear(y)
	for i := 0; i < len(y); i += classes {
		y[i+i/classes%classes] = 1
	}
}

// A batch norm can have one of scale and shift frozen, or both; then its statistics stay as well. It ends a residual block.
func TestGradientOfFrozenBatchNorm(t *testing.T) {
	for _, frozen := range [][]string{{"bn.weight"}, {"bn.bias"}, {"bn.weight", "bn.bias"}} {
		g := New(Shape{H: 1, W: 1, C: 1})
		x := g.Add("x", source{Shape{H: 2, W: 3, C: 4}, 2, 1}, g.Input())
		shortcut := g.Add("shortcut", source{Shape{H: 2, W: 3, C: 4}, 2, 1}, g.Input())
		g.Add("head", Linear{Out: 3}, g.Add("relu", ReLU(), g.Add("add", Add{}, g.Add("bn", BatchNorm{}, x), shortcut)))
		g.Freeze(func(p *Param) bool { return slices.Contains(frozen, p.Name) })
		r := newRig(t, g, TrainConfig{Batch: 2})
		before := stats(r)
		r.check()
		if changed := !slices.Equal(before, stats(r)); changed == (len(frozen) == 2) {
			t.Errorf("with %v frozen the running statistics changed: %v", frozen, changed)
		}
	}
}

// stats returns all running statistics.
func stats(r *rig) []float64 {
	var all []float64
	for _, p := range r.g.Params() {
		if p.Stat {
			all = append(all, r.dev.Float64s(r.w.mem(p))...)
		}
	}
	return all
}
