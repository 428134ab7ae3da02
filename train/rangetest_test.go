package train

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/philox"
)

// A range test finds the rates at which a network learns, and leaves no trace in weights, statistics or optimiser.
func TestRangeTest(t *testing.T) {
	ctx := context.Background()
	for _, opt := range []string{"nesterov", "adamw"} {
		c := defaults(t, "lenet5", t.TempDir()) // tanh: a ReLU dies at large rates, and its loss stays at that of chance
		c.Data, c.Opt, c.EMA, c.Batch = "digits", opt, true, 32
		r := &Run{Config: c}
		if err := r.build(ctx, newDevice(t)); err != nil {
			t.Fatal(err)
		}
		// Some steps first, so that the optimiser's state is not zero.
		it := r.batches.Epoch(ctx, 0, 0)
		for i := range 3 {
			b, err := it.Next()
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(r.give(b), r.tr.Advance(i, 0.001, 0.9)); err != nil {
				t.Fatal(err)
			}
		}
		it.Close()
		before, err := capture(r.tr)
		if err != nil {
			t.Fatal(err)
		}
		steps := 0
		curve, err := r.rangeTest(ctx, DefaultRangeTest, func(RatePoint, int) { steps++ })
		if err != nil {
			t.Fatal(err)
		}
		after, err := capture(r.tr)
		if err != nil {
			t.Fatal(err)
		}
		same := func(a, b map[*graph.Param][]float32) bool {
			for p, v := range a {
				if !slices.Equal(v, b[p]) {
					return false
				}
			}
			return len(a) == len(b)
		}
		if !same(before.weights, after.weights) || !same(before.ema, after.ema) || !slices.EqualFunc(before.states, after.states, same) {
			t.Errorf("%s: the test left a trace", opt)
		}
		moved := false
		for _, v := range before.states[0] {
			moved = moved || slices.ContainsFunc(v, func(x float32) bool { return x != 0 })
		}
		if !moved {
			t.Errorf("%s: the optimiser's state was zero: its restoration was not tested", opt)
		}
		if !curve.Diverged || steps != len(curve.Points) || steps < 60 {
			t.Errorf("%s: diverged %v after %d steps, want an explosion in the last decades", opt, curve.Diverged, steps)
		}
		if !(curve.Valley > 1e-5 && curve.Valley < curve.Points[steps-1].LR/3 && curve.Steepest > 1e-5) {
			t.Errorf("%s: suggestions %g and %g, up to %g", opt, curve.Valley, curve.Steepest, curve.Points[steps-1].LR)
		}
		if err := r.closeSource(); err != nil {
			t.Error(err)
		}
	}
}

// curveOf makes the points of a test whose losses f gives, by the logarithm of the rate.
func curveOf(f func(decade float64) float64) *RateCurve {
	c := &RateCurve{}
	average := 0.0
	for i := range DefaultRangeTest.Steps {
		p := RatePoint{LR: DefaultRangeTest.at(i)}
		p.Loss = f(math.Log10(p.LR))
		average = rangeSmoothing*average + (1-rangeSmoothing)*p.Loss
		p.Smooth = average / (1 - math.Pow(rangeSmoothing, float64(i+1)))
		c.Points = append(c.Points, p)
	}
	c.suggest(DefaultRangeTest.Steps)
	return c
}

func TestRateSuggestions(t *testing.T) {
	if lo, hi := DefaultRangeTest.at(0), DefaultRangeTest.at(99); lo != 1e-7 || math.Abs(hi-10) > 1e-12 {
		t.Errorf("rates from %g to %g", lo, hi)
	}
	// Flat up to 1e-4, falling to 1e-1, rising after it.
	c := curveOf(func(d float64) float64 { return 2.3 - 0.6*max(0, min(d+4, 3)) + 5*max(0, d+1) })
	if c.Valley < 1e-4 || c.Valley > 1e-2 || c.Steepest < 1e-3 || c.Steepest > 0.2 {
		t.Errorf("valley at %g, steepest at %g", c.Valley, c.Steepest)
	}
	for name, f := range map[string]func(float64) float64{
		"flat":   func(float64) float64 { return 2.3 },
		"rising": func(d float64) float64 { return 2.3 + math.Exp(d) },
		"noise":  func(d float64) float64 { return 2.3 + 0.01*philox.New(1, philox.Test, int(d*1e6)+1e9, 0).Normal() },
	} {
		if c := curveOf(f); c.Valley != 0 || c.Steepest != 0 {
			t.Errorf("%s: valley at %g, steepest at %g, want no suggestion", name, c.Valley, c.Steepest)
		}
	}
	for _, test := range []RangeTest{{}, {1, 1, 100}, {1e-3, 1, 19}, {1e-3, math.Inf(1), 100}, {math.NaN(), 1, 100}, {1e-3, math.NaN(), 100}} {
		if _, _, err := FindRate(context.Background(), Config{}, nil, test, nil); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v, want ErrConfig", test, err)
		}
	}
}
