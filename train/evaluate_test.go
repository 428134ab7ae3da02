package train

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/graph"
)

func TestArgmax(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		logits []float32
		class  int
	}{{[]float32{1, 3, 2}, 1}, {[]float32{2, 2}, 0}, {[]float32{nan, 1, 2}, 2}, {[]float32{-inf, -5}, 1}, {[]float32{7}, 0}} {
		if got, _ := Argmax(c.logits); got != c.class {
			t.Errorf("%v: class %d, want %d", c.logits, got, c.class)
		}
	}
	if _, p := Argmax([]float32{1000, 1000 + float32(math.Ln2)}); math.Abs(p-2.0/3) > 1e-4 { // no overflow
		t.Errorf("probability %v, want 2/3", p)
	}
}

// evaluated opens a folder of strokes and a network for it.
func evaluated(t *testing.T) (*graph.Weights, data.Dataset, *augment.Pipeline) {
	t.Helper()
	src, err := data.Open(writeStrokes(t, 20, 16), data.Options{ValSplit: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	pipe, err := augment.Eval(augment.Default(16, 16, 3))
	if err != nil {
		t.Fatal(err)
	}
	return newWeights(t, "lenet5_relu", graph.Shape{H: 16, W: 16, C: 3}, 2), src.Val, pipe
}

// What an evaluation gives does not depend on how the samples are cut into batches: the last one is filled up with samples that must not count.
func TestEvaluationIsIndependentOfBatches(t *testing.T) {
	w, set, pipe := evaluated(t)
	var want Metrics
	for i, batch := range []int{1, 3, 20, 1 << 62} {
		e, err := NewEvaluator(w, set, pipe, graph.InferConfig{Batch: batch}, i)
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			want = got
			if got.Samples != 20 || got.Top5 != 1 || got.Loss <= 0 || len(got.Predictions) != 20 {
				t.Errorf("metrics %+v", got)
			}
		}
		counts := 0
		for c, row := range got.Confusion {
			if !slices.Equal(row, want.Confusion[c]) {
				t.Errorf("batch %d: confusion %v, want %v", batch, got.Confusion, want.Confusion)
			}
			counts += row[0] + row[1]
		}
		if counts != 20 || got.Samples != 20 || got.Top1 != want.Top1 || math.Abs(got.Loss-want.Loss) > 1e-5*want.Loss {
			t.Errorf("batch %d: %+v, want %+v", batch, got, want)
		}
	}
	for _, batch := range []int{0, -1} {
		if _, err := NewEvaluator(w, set, pipe, graph.InferConfig{Batch: batch}, 0); !errors.Is(err, ErrConfig) {
			t.Errorf("batch %d: error %v, want ErrConfig", batch, err)
		}
	}
}

// Weights that give no finite loss are reported with the batch that shows it, not measured.
func TestEvaluationOfSpoiltWeights(t *testing.T) {
	w, set, pipe := evaluated(t)
	params := w.Graph().Params()
	bias := params[len(params)-1]
	if err := w.Set(bias, []float32{float32(math.NaN()), 0}); err != nil {
		t.Fatal(err)
	}
	e, err := NewEvaluator(w, set, pipe, graph.InferConfig{Batch: 8}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Run(t.Context()); !errors.Is(err, ErrDiverged) {
		t.Errorf("error %v, want ErrDiverged", err)
	}
}
