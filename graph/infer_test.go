package graph

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/cpu/ref"
)

func TestPaddingModes(t *testing.T) {
	for n := 1; n <= 12; n++ {
		for f := 1; f <= 5; f++ {
			for s := 1; s <= 4; s++ {
				for d := 1; d <= 3; d++ {
					rows := func(pad Padding) int {
						w := Window{Size: [2]int{f}, Stride: [2]int{s}, Dilation: [2]int{d}, Pad: pad}
						sig, err := Conv2D{Filters: 1, Window: w}.Infer([]Shape{{H: n, W: n, C: 1}})
						if err != nil {
							t.Fatal(err)
						}
						return sig.Out.H
					}
					extent := d*(f-1) + 1
					if got, want := rows(Same()), (n+s-1)/s; got != want {
						t.Errorf("same: n=%d f=%d s=%d d=%d gives %d, want %d", n, f, s, d, got, want)
					}
					if got, want := rows(Full()), (n+extent-2)/s+1; got != want {
						t.Errorf("full: n=%d f=%d s=%d d=%d gives %d, want %d", n, f, s, d, got, want)
					}
				}
			}
		}
	}
}

// PyTorch's ceil mode: round up, but drop a last window that would begin beyond the image and the padding before it.
func TestCeilMode(t *testing.T) {
	for _, c := range []struct{ n, f, s, p, want int }{
		{5, 2, 2, 0, 3}, {6, 2, 2, 0, 3}, {6, 3, 2, 0, 3}, {7, 3, 2, 0, 3}, {8, 3, 2, 0, 4},
		{5, 1, 3, 0, 2}, {3, 2, 4, 1, 1}, {4, 2, 4, 1, 2}, {3, 2, 2, 1, 2}, {5, 2, 4, 1, 2},
		{2, 3, 2, 0, 1}, {1, 3, 3, 0, 1}, {3, 5, 4, 0, 1}, // a window that is larger than the image
	} {
		sig, err := MaxPool{Window{Size: [2]int{c.f}, Stride: [2]int{c.s}, Pad: Pad(c.p), Ceil: true}}.Infer([]Shape{{H: c.n, W: c.n, C: 1}})
		if err != nil || sig.Out.H != c.want {
			t.Errorf("n=%d f=%d s=%d p=%d: %v, %v, want %d", c.n, c.f, c.s, c.p, sig.Out, err, c.want)
		}
	}
}

func TestLayersThatDoNotFit(t *testing.T) {
	image, vector := Shape{H: 4, W: 4, C: 3}, Shape{H: 1, W: 1, C: 8, Flat: true}
	for _, c := range []struct {
		op   Op
		in   []Shape
		want string
	}{
		{Conv2D{Filters: 4, Window: win(5, 1, Valid())}, []Shape{image}, "at least 5x5"},
		{Conv2D{Filters: 4, Window: win(7, 1, Pad(1))}, []Shape{image}, "at least 5x5"},
		{Conv2D{Filters: 4, Window: Window{Size: [2]int{3}, Dilation: [2]int{2}}}, []Shape{image}, "at least 5x5"},
		{Conv2D{Filters: 4, Window: win(3, 1, Valid()), Groups: 2}, []Shape{image}, "3 channels"},
		{Conv2D{Filters: 0, Window: win(3, 1, Valid())}, []Shape{image}, "0 filters"},
		{Conv2D{Filters: 4}, []Shape{image}, "positive sizes"},
		{Conv2D{Filters: 4, Window: win(3, 1, Pad(-1))}, []Shape{image}, "negative"},
		{Conv2D{Filters: 4, Window: win(3, 1, Valid())}, []Shape{vector}, "got a vector of 8"},
		{MaxPool{win(2, 2, Pad(2))}, []Shape{image}, "less than the window's 2"},
		{AvgPool{Window: win(5, 2, Valid())}, []Shape{image}, "at least 5x5"},
		{AdaptiveAvgPool{P: 0, Q: 3}, []Shape{image}, "output of 0x3x3"},
		{Linear{Out: -1}, []Shape{vector}, "-1 outputs"},
		{LRN{}, []Shape{image}, "0 channels"},
		{Dropout{1}, []Shape{image}, "probability 1"},
		{Dropout{float32(math.NaN())}, []Shape{image}, "probability NaN"},
		{Add{}, []Shape{image, vector}, "equal shape"},
		{Add{}, []Shape{image}, "two inputs"},
		{Concat{}, []Shape{image, {H: 3, W: 4, C: 3}}, "equal height and width"},
		{Concat{}, []Shape{{H: 2, W: 2, C: 1, Flat: true}, {H: 2, W: 2, C: 1, Flat: true}}, "equal height and width"},
		{MaxPool{Window{Size: [2]int{3}, Stride: [2]int{2}, Ceil: true}}, []Shape{{H: 1, W: 4, C: 3}}, "at least 2x2"},
		{PadChannels{Before: -1, After: 2}, []Shape{image}, "negative"},
		{PadChannels{After: math.MaxInt}, []Shape{image}, "an output of"},
		{PadChannels{}, []Shape{vector}, "got a vector of 8"},
		{ReLU(), nil, "no input"},
	} {
		g := New(Shape{H: 1, W: 1, C: 1})
		var in []*Node
		for i, s := range c.in {
			in = append(in, g.Add(string(rune('a'+i)), source{s, 1, 1}, g.Input()))
		}
		g.Add("layer7", c.op, in...)
		if err := g.Err(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "layer7") {
			t.Errorf("%v on %v: error %v, want one that names the layer and says %q", c.op, c.in, err, c.want)
		}
	}
}

// After the first error every later one is a consequence, so the first is kept; and what is left of the graph does not panic.
func TestFirstErrorSticks(t *testing.T) {
	g := New(Shape{H: 4, W: 4, C: 1})
	x := g.Add("first", Conv2D{Filters: 1, Window: win(9, 1, Valid())}, g.Input())
	x = g.Add("second", MaxPool{win(9, 1, Valid())}, x)
	g.Add("third", Add{}, x, nil)
	if err := g.Err(); err == nil || !strings.Contains(err.Error(), "first") {
		t.Fatalf("error %v, want the first layer's", err)
	}
	dev := ref.New()
	_, err1 := NewWeights(g, dev)
	_, err2 := PlanInference(g, dev, InferConfig{Batch: 1})
	_, err3 := PlanTraining(g, dev, TrainConfig{Batch: 1, Optimizer: SGD{}})
	for _, err := range []error{err1, err2, err3} {
		if !errors.Is(err, ErrShape) {
			t.Errorf("error %v, want the graph's", err)
		}
	}
	for _, s := range []Shape{{}, {H: -1, W: 2, C: 3}, {H: 1 << 20, W: 1 << 20, C: 1}, {H: 1 << 62, W: 4, C: 1}} {
		if !errors.Is(New(s).Err(), ErrShape) {
			t.Errorf("a graph for images of %v has no error", s)
		}
	}
}

func TestForeignAndRepeatedLayers(t *testing.T) {
	other := New(Shape{H: 4, W: 4, C: 1})
	x := other.Add("x", ReLU(), other.Input())
	for _, c := range []struct {
		name string
		add  func(g *Graph)
		want string
	}{
		{"other graph", func(g *Graph) { g.Add("y", ReLU(), x) }, "not a layer of this graph"},
		{"nil", func(g *Graph) { g.Add("y", ReLU(), nil) }, "not a layer of this graph"},
		{"name twice", func(g *Graph) { g.Add("y", ReLU(), g.Add("y", ReLU(), g.Input())) }, "name is taken"},
	} {
		g := New(Shape{H: 4, W: 4, C: 1})
		c.add(g)
		if err := g.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", c.name, err, c.want)
		}
	}
}
