package zoo_test

import (
	"encoding/json"
	"hash/fnv"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/cpu"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/zoo"
)

// Every network answers to the same weights and images what PyTorch's network of that name does (scripts/logits.py): an order of layers, a
// padding, a stride or a layout of weights that differed would show, and so would a tensor's name, from which its values follow.
func TestLogitsEqualPyTorch(t *testing.T) {
	text, err := os.ReadFile("testdata/logits.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Model   string
		Input   [3]int // H, W, C
		Batch   int
		Classes int
		Logits  [][]float64 // (batch, classes)
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Model, func(t *testing.T) {
			if testing.Short() && strings.HasPrefix(c.Model, "vgg") {
				t.Skip("128 million parameters")
			}
			got := answer(t, c.Model, graph.Shape{H: c.Input[0], W: c.Input[1], C: c.Input[2]}, c.Batch, c.Classes)
			var worst, largest float64
			for i, row := range c.Logits {
				for j, want := range row {
					worst = max(worst, math.Abs(float64(got[i*c.Classes+j])-want))
					largest = max(largest, math.Abs(want))
				}
			}
			t.Logf("logits differ by %.1e of the largest", worst/largest)
			if !(worst <= 1e-4*largest) {
				t.Errorf("logits %v, PyTorch has %v: %.1e of the largest apart, want at most 1e-4", got, c.Logits, worst/largest)
			}
		})
	}
}

// answer returns the logits (batch, classes) of a network with the formula's weights for the formula's images.
func answer(t *testing.T, model string, in graph.Shape, batch, classes int) []float32 {
	t.Helper()
	g, err := zoo.Build(model, in, classes, zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dev := cpu.New(0)
	defer dev.Close()
	w, err := graph.NewWeights(g, dev)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range g.Params() {
		if err := w.Set(p, formula(p)); err != nil {
			t.Fatal(err)
		}
	}
	inf, err := graph.CompileInference(g, w, graph.InferConfig{Batch: batch})
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, batch*in.Size())
	fromPyTorch(x, []int{batch, in.H, in.W, in.C}, tensorNumber("input"), 2)
	logits := make([]float32, batch*classes)
	if _, err := inf.Run(x, make([]float32, len(logits)), logits); err != nil {
		t.Fatal(err)
	}
	return logits
}

// formula returns the values of a parameter, in the order of its Dims.
func formula(p *graph.Param) []float32 {
	v := make([]float32, p.Len())
	number := tensorNumber(p.Name)
	if p.Perm != nil {
		fromPyTorch(v, p.Dims, number, float32(math.Sqrt(6/float64(p.FanIn))))
		return v
	}
	centre, bound := float32(0), float32(0.1)
	switch {
	case strings.HasSuffix(p.Name, "running_var"):
		centre, bound = 1, 0.5
	case strings.HasSuffix(p.Name, "weight"):
		centre, bound = 0.875, 0.375
	}
	for i := range v {
		v[i] = centre + uniform(i, number, bound)
	}
	return v
}

// tensorNumber is the place of a tensor in the formula.
func tensorNumber(name string) int {
	h := fnv.New32a()
	h.Write([]byte(name))
	return int(h.Sum32())
}
