package checkpoint

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
)

func TestStats(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	cases := []struct {
		name string
		x    []float32
		want Stats
	}{
		{"none", nil, Stats{}},
		{"one", []float32{-3}, Stats{Count: 1, Min: -3, Max: -3, Mean: -3}},
		{"1 to 4", []float32{4, 1, 3, 2}, Stats{Count: 4, Min: 1, Max: 4, Mean: 2.5, Std: math.Sqrt(1.25)}},
		{"zeros of both signs", []float32{0, float32(math.Copysign(0, -1)), 2, -2}, Stats{Count: 4, Zeros: 2, Min: -2, Max: 2, Std: math.Sqrt2}},
		{"not finite", []float32{nan, inf, -inf, 5, 7}, Stats{Count: 5, NaNs: 1, Infs: 2, Min: 5, Max: 7, Mean: 6, Std: 1}},
		{"nothing finite", []float32{nan, nan}, Stats{Count: 2, NaNs: 2}},
		// A sum of squares would lose the deviation of 1 beside 1e6 in single precision and 1e8 in double.
		{"large mean", []float32{16777213, 16777215}, Stats{Count: 2, Min: 16777213, Max: 16777215, Mean: 16777214, Std: 1}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := make([]byte, 0, 4*len(c.x))
			for _, v := range c.x {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
			}
			f := &File{path: "x", r: bytes.NewReader(b), tensors: []Info{{Name: "x", DType: F32, Shape: []int{len(c.x)}, Size: int64(len(b))}}, index: map[string]int{"x": 0}}
			got, err := f.Stats("x")
			if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if got.Finite() != (c.want.NaNs+c.want.Infs == 0) {
				t.Errorf("Finite is %v", got.Finite())
			}
		})
	}
}
