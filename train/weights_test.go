package train

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/graph"
)

// A filter (K, R, S, C) in memory is (K, C, R, S) in the file, and the columns of the first fully connected layer go from H, W, C to C, H, W: each
// element carries its own indices as its value.
func TestCheckpointLayout(t *testing.T) {
	w := newWeights(t, "lenet5", graph.Shape{H: 28, W: 28, C: 3}, 4)
	index := func(p *graph.Param) []float32 { // element i of memory is i
		v := make([]float32, p.Len())
		for i := range v {
			v[i] = float32(i)
		}
		return v
	}
	for _, p := range w.Graph().Params() {
		if err := w.Set(p, index(p)); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := SaveWeights(path, Spec{Model: "lenet5", Input: [3]int{28, 28, 3}, Classes: []string{"a", "b", "c", "d"}}, w); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, c := range []struct {
		name       string
		k, r, s, c int // extents in memory; for a fully connected layer its input's height and width
		shape      []int
	}{{"conv1.weight", 6, 5, 5, 3, []int{6, 3, 5, 5}}, {"conv2.weight", 16, 5, 5, 6, []int{16, 6, 5, 5}}, {"fc1.weight", 120, 5, 5, 16, []int{120, 400}},
		{"fc2.weight", 84, 1, 1, 120, []int{84, 120}}} {
		info, err := f.Info(c.name)
		if err != nil || !slices.Equal(info.Shape, c.shape) {
			t.Fatalf("%s has shape %v, want %v; %v", c.name, info.Shape, c.shape, err)
		}
		got := make([]float32, info.Elems())
		if err := f.Float32s(c.name, got); err != nil {
			t.Fatal(err)
		}
		at := 0
		for k := range c.k {
			for ch := range c.c {
				for r := range c.r {
					for s := range c.s {
						if want := float32(((k*c.r+r)*c.s+s)*c.c + ch); got[at] != want {
							t.Fatalf("%s: element (%d, %d, %d, %d) of the file is %v, want %v", c.name, k, ch, r, s, got[at], want)
						}
						at++
					}
				}
			}
		}
	}
	for _, p := range w.Graph().Params() { // and back
		if err := w.Set(p, make([]float32, p.Len())); err != nil {
			t.Fatal(err)
		}
	}
	if err := (&Checkpoint{file: f}).load(w); err != nil {
		t.Fatal(err)
	}
	for _, p := range w.Graph().Params() {
		got := make([]float32, p.Len())
		if err := w.Get(p, got); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, index(p)) {
			t.Errorf("%s does not come back", p.Name)
		}
	}
	spec, err := ReadSpec(f)
	if err != nil || spec.Model != "lenet5" || spec.Input != [3]int{28, 28, 3} || len(spec.Classes) != 4 {
		t.Errorf("spec %+v, %v", spec, err)
	}
}

// A checkpoint of another model, or of another number of classes, is refused by name, before a weight is touched.
func TestCheckpointThatDoesNotFit(t *testing.T) {
	in := graph.Shape{H: 28, W: 28, C: 1}
	from := newWeights(t, "lenet5", in, 4)
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := SaveWeights(path, Spec{Model: "lenet5", Classes: []string{"a", "b", "c", "d"}}, from); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, c := range []struct {
		model   string
		classes int
		want    string
	}{{"lenet5", 7, "fc3.weight is [4 84], wanted [7 84]"}, {"resnet20", 4, " missing: "}} {
		to := newWeights(t, c.model, graph.Shape{H: 32, W: 32, C: 1}, c.classes)
		if c.model == "lenet5" {
			to = newWeights(t, c.model, in, c.classes)
		}
		p := to.Graph().Params()[0]
		before, after := make([]float32, p.Len()), make([]float32, p.Len())
		if err := to.Get(p, before); err != nil {
			t.Fatal(err)
		}
		if err := (&Checkpoint{file: f}).load(to); !errors.Is(err, ErrWeights) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %d classes: error %v, want %q", c.model, c.classes, err, c.want)
		}
		if err := to.Get(p, after); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(before, after) {
			t.Errorf("%s: %s was overwritten", c.model, p.Name)
		}
	}
}

// Foreign checkpoints do not say what they are.
func TestReadSpecErrors(t *testing.T) {
	for name, meta := range map[string]map[string]string{
		"foreign": nil, "damaged": {specKey: "{"}, "without classes": {specKey: `{"model":"lenet5"}`},
	} {
		path := filepath.Join(t.TempDir(), "x.safetensors")
		if err := checkpoint.Write(path, nil, meta); err != nil {
			t.Fatal(err)
		}
		f, err := checkpoint.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSpec(f); !errors.Is(err, ErrWeights) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v", name, err)
		}
		f.Close()
	}
}
