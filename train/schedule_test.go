package train

import (
	"errors"
	"math"
	"testing"
)

func TestSchedules(t *testing.T) {
	base := Schedule{Base: 0.4, Epochs: 10, StepsPerEpoch: 10, DecayEpochs: 3, DecayRate: 0.1, Min: 0.04}
	for _, c := range []struct {
		kind    string
		warmup  float64
		updates int
		want    float64
	}{
		{"constant", 0, 0, 0.4},
		{"constant", 0, 99, 0.4},
		{"constant", 1, 0, 0.4 / 11},
		{"constant", 1, 9, 0.4 * 10 / 11},
		{"constant", 1, 10, 0.4},
		{"step", 0, 29, 0.4},
		{"step", 0, 30, 0.04},
		{"step", 0, 60, 0.004},
		{"cosine", 0, 0, 0.4},
		{"cosine", 0, 50, 0.22},
		{"cosine", 0, 100, 0.04},
		{"cosine", 0, 1000, 0.04}, // a run that is longer than planned stays at the end
		{"cosine", 5, 50, 0.4},
		{"cosine", 5, 75, 0.22},
		// The values of PyTorch's OneCycleLR(max_lr=0.4, total_steps=100) at these steps.
		{"onecycle", 0, 0, 0.016},
		{"onecycle", 0, 29, 0.4},
		{"onecycle", 0, 99, 1.6e-6},
	} {
		s := base
		s.Kind, s.WarmupEpochs = c.kind, c.warmup
		if err := s.check(); err != nil {
			t.Fatal(err)
		}
		if got := s.At(c.updates); math.Abs(got-c.want) > 1e-9*math.Abs(c.want)+1e-12 {
			t.Errorf("%s, warm-up %g, update %d: %g, want %g", c.kind, c.warmup, c.updates, got, c.want)
		}
	}
}

func TestScheduleErrors(t *testing.T) {
	for _, s := range []Schedule{
		{Kind: "linear"}, {Kind: "step", Base: 1}, {Kind: "cosine", Base: math.NaN()}, {Kind: "cosine", Base: -1},
		{Kind: "constant", Base: math.Inf(1)}, {Kind: "constant", WarmupEpochs: math.NaN()},
	} {
		if err := s.check(); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: error %v, want ErrConfig", s, err)
		}
	}
}
