package diagnose

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
)

// The values of testdata/logme.json come from scripts/logme-fixtures.py, which computes the evidence in another way.
func TestLogME(t *testing.T) {
	b, err := os.ReadFile("testdata/logme.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name     string
		Features [][]float32
		Labels   []int
		Classes  int
		Want     float64
	}
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		got, err := LogME(c.Features, c.Labels, c.Classes)
		if err != nil || math.Abs(got-c.Want) > 1e-4*math.Abs(c.Want) {
			t.Errorf("%s: %v, %v, want %v", c.Name, got, err, c.Want)
		}
	}
	if len(cases) < 4 {
		t.Errorf("%d cases", len(cases))
	}
}

func TestLogMEOfNothing(t *testing.T) {
	zeros := [][]float32{{0, 0}, {0, 0}, {0, 0}}
	nan := slices.Clone(zeros)
	nan[1] = []float32{1, float32(math.NaN())}
	for name, f := range map[string]func() (float64, error){
		"zeros":  func() (float64, error) { return LogME(zeros, []int{0, 1, 0}, 2) },
		"nan":    func() (float64, error) { return LogME(nan, []int{0, 1, 0}, 2) },
		"uneven": func() (float64, error) { return LogME([][]float32{{1, 2}, {1}}, []int{0, 1}, 2) },
		"none":   func() (float64, error) { return LogME(nil, nil, 2) },
		"labels": func() (float64, error) { return LogME([][]float32{{1}, {2}}, []int{0}, 2) },
	} {
		if v, err := f(); err == nil {
			t.Errorf("%s: %v, want an error", name, v)
		}
	}
}
