package checkpoint

import (
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"
)

// Real files of other programs: what the README of the data says about them holds.
func TestRealFiles(t *testing.T) {
	data := sharedData(t)
	cases := []struct {
		file             string
		tensors, params  int
		dtype            DType
		tensor           string
		shape0           int
		metadata, source string
	}{
		{"weights/squeezenet1_1_f16.safetensors", 52, 1235496, F16, "features.0.weight", 64, "preprocess", "BGR"},
		{"weights/squeezenet1_0_dc.safetensors", 52, 1248424, F32, "features.0.weight", 96, "preprocess", "BGR"},
		{"pth/examples__import-model-weights__weights__mnist.safetensors", 0, 0, F32, "conv1.weight", 8, "", ""},
		{"pth/safetensors-tests__tests__multi_layer__multi_layer.safetensors", 0, 0, F32, "conv1.weight", 4, "", ""},
	}
	for _, c := range cases {
		t.Run(filepath.Base(c.file), func(t *testing.T) {
			f, err := Open(filepath.Join(data, c.file))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			params := 0
			for _, info := range f.Tensors() {
				if !info.DType.IsFloat() {
					if err := f.Int64s(info.Name, make([]int64, info.Elems())); err != nil {
						t.Error(err)
					}
					continue
				}
				params += info.Elems()
				x := make([]float32, info.Elems())
				if err := f.Float32s(info.Name, x); err != nil {
					t.Error(err)
				}
				s, err := f.Stats(info.Name)
				if err != nil || !s.Finite() {
					t.Errorf("%s: got statistics %+v, %v", info.Name, s, err)
				}
				sum := 0.0
				for _, v := range x {
					sum += float64(v)
				}
				if mean := sum / float64(len(x)); math.Abs(mean-s.Mean) > 1e-9 {
					t.Errorf("%s: Stats has mean %g, the elements %g", info.Name, s.Mean, mean)
				}
			}
			if c.tensors != 0 && (len(f.Tensors()) != c.tensors || params != c.params) {
				t.Errorf("got %d tensors with %d parameters, want %d with %d", len(f.Tensors()), params, c.tensors, c.params)
			}
			info, err := f.Info(c.tensor)
			if err != nil || info.DType != c.dtype || info.Shape[0] != c.shape0 {
				t.Errorf("%s: got %+v, %v", c.tensor, info, err)
			}
			if !strings.Contains(f.Metadata()[c.metadata], c.source) {
				t.Errorf("got metadata %q", f.Metadata())
			}
			if err := f.Verify(); !errors.Is(err, ErrNoDigests) {
				t.Errorf("Verify: got %v, want ErrNoDigests", err)
			}
		})
	}
}
