package diagnose

import (
	"math"
	"strings"
	"testing"
)

func TestDistance(t *testing.T) {
	s := Moments{[]float64{1, -2}, []float64{4, 1}}
	for _, c := range []struct {
		t    Moments
		want float64
	}{
		{s, 0},
		{Moments{[]float64{3, -2}, []float64{4, 1}}, 0.5},            // one mean off by a deviation
		{Moments{[]float64{1, -2}, []float64{16, 1}}, 0.5},           // one deviation doubled
		{Moments{[]float64{1 + 2*3, -2}, []float64{4 * 25, 1}}, 2.5}, // 3 and 4 deviations are 5
	} {
		if got := Distance(s, c.t); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v: %v, want %v", c.t, got, c.want)
		}
	}
	silent := Moments{[]float64{0, 0}, []float64{0, 1}}
	if got := Distance(silent, Moments{[]float64{0.01, 0}, []float64{0, 1}}); got > 0.1 {
		t.Errorf("a whisper in a silent channel is a distance of %v", got)
	}
	if got := Distance(Moments{[]float64{0}, []float64{0}}, Moments{[]float64{1}, []float64{1}}); got != 0 {
		t.Errorf("a layer without any scale gives %v", got)
	}
}

// A difference counts if it is sure: two standard errors.
func TestDiffers(t *testing.T) {
	for _, c := range []struct {
		a, b float64
		n    int
		want bool
	}{
		{0.9, 0.9, 1000, false},
		{0.95, 0.90, 153, false}, // a standard error of 3 points
		{0.97, 0.90, 153, true},
		{0.905, 0.9, 1000000, false}, // sure, and too small to act on
		{0.9, 0.95, 10000, false},
		{1, 0.5, 4, false},
		{1, 1, 10, false},
	} {
		if got := differs(c.a, c.b, c.n); got != c.want {
			t.Errorf("%v and %v of %d: %v", c.a, c.b, c.n, got)
		}
	}
}

// The rules on numbers, at their bounds.
func TestJudge(t *testing.T) {
	base := Report{Classes: 10, Train: 1000, Val: 1000, Reference: "source data",
		Probe: Outcome{Top1: 0.9, Last: 0.9, Fit: 0.95}, Full: Outcome{Top1: 0.92, Last: 0.92, Fit: 0.96}, Scratch: Outcome{Top1: 0.6, Last: 0.6, Fit: 0.7}}
	gap := func(r *Report) {
		r.Probe, r.Full = Outcome{Top1: 0.8, Last: 0.8, Fit: 1}, Outcome{Top1: 0.82, Last: 0.82, Fit: 1}
	}
	for name, c := range map[string]struct {
		change func(*Report)
		want   Kind
	}{
		"as it is":                    {func(*Report) {}, Healthy},
		"scratch as good":             {func(r *Report) { r.Scratch.Top1 = 0.92 }, NoDifference},
		"scratch better":              {func(r *Report) { r.Scratch.Top1 = 0.96 }, NegativeTransfer},
		"far, but the features serve": {func(r *Report) { r.Distance = 3 }, Healthy},
		"far, and they do not":        {func(r *Report) { r.Distance, r.Probe.Top1 = 3, 0.7 }, DomainMismatch},
		"far, and cannot be fitted":   {func(r *Report) { r.Distance, r.Probe.Fit = 3, 0.5 }, DomainMismatch},
		"nothing to compare with":     {func(r *Report) { r.Reference, r.Distance, r.Probe.Top1, r.Probe.Fit = "", 3, 0.7, 0.96 }, Healthy},
		"the trunk underfits":         {func(r *Report) { r.Probe.Top1, r.Probe.Fit = 0.7, 0.75 }, OverFreezing},
		"full is worse, and fits":     {func(r *Report) { r.Full.Top1, r.Full.Last, r.Full.Fit = 0.8, 0.8, 1 }, OverFineTuning},
		"full is worse, and does not": {func(r *Report) { r.Full.Top1, r.Full.Last, r.Full.Fit = 0.8, 0.8, 0.8 }, Healthy},
		"the accuracy fell":           {func(r *Report) { r.Full.Last, r.Full.Fit = 0.86, 1 }, OverFineTuning},
		"forgot for nothing":          {func(r *Report) { r.Forgotten = &Forgotten{Before: 0.9, After: 0.5} }, OverFineTuning},
		"forgot for something":        {func(r *Report) { r.Forgotten, r.Full.Top1 = &Forgotten{Before: 0.9, After: 0.5}, 0.98 }, Healthy},
		"could not be measured":       {func(r *Report) { r.Forgotten = &Forgotten{Note: "other classes", Before: 1} }, Healthy},
		"few images":                  {func(r *Report) { r.Train = 50; gap(r) }, TooLittleData},
		"enough images":               {gap, Healthy},
	} {
		r := base
		c.change(&r)
		found := Judge(&r)
		if len(found) == 0 || found[0].Kind != c.want || found[0].Why == "" {
			t.Errorf("%s: %+v, want %s", name, found, c.want)
		}
	}
}

// Healthy transfer over random weights that have learned nothing is not proof of much, and that is said.
func TestScratchThatGuesses(t *testing.T) {
	r := Report{Classes: 2, Train: 100, Val: 500, Probe: Outcome{Top1: 0.9, Fit: 0.95}, Full: Outcome{Top1: 0.9, Fit: 0.95}, Scratch: Outcome{Top1: 0.52, Fit: 0.5}}
	f := Judge(&r)[0]
	if f.Kind != Healthy || !strings.Contains(f.Why, "learn nothing at all (50.0 %") {
		t.Errorf("%+v", f)
	}
	r.Scratch.Fit = 0.7
	if f := Judge(&r)[0]; f.Kind != Healthy || strings.Contains(f.Why, "nothing") {
		t.Errorf("%+v", f)
	}
}
