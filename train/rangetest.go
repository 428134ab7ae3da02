package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
)

// RangeTest is a search for a learning rate: training for some steps in which the rate grows exponentially, and looking at the loss. Smith,
// "Cyclical Learning Rates for Training Neural Networks" (2015, arXiv:1506.01186), section 3.3, with the practice of fastai.
type RangeTest struct {
	Start, End float64 // of the rate
	Steps      int
}

// DefaultRangeTest is fastai's: a hundred steps from 1e-7 to 10.
var DefaultRangeTest = RangeTest{Start: 1e-7, End: 10, Steps: 100}

// RatePoint is one step of a range test.
type RatePoint struct {
	LR     float64 `json:"lr"`
	Loss   float64 `json:"loss"`   // of the batch, before the update with LR
	Smooth float64 `json:"smooth"` // the exponential average of the losses so far
}

// RateCurve is the result of a range test.
type RateCurve struct {
	Points []RatePoint `json:"points"`
	// Suggestions: where the smoothed loss falls most steeply against the logarithm of the rate, and the middle of its longest decline. They are 0
	// if the loss never falls.
	Steepest float64 `json:"steepest"`
	Valley   float64 `json:"valley"`
	Diverged bool    `json:"diverged"` // the test ended before RangeTest.End, for the loss exploded
}

// The measures of fastai's finder.
const (
	rangeSmoothing = 0.98 // weight of the past in the average
	rangeExplosion = 4    // the test ends at a smoothed loss of so many times the smallest
	rangeTail      = 5    // points at the end that suggestions ignore: there the loss explodes
)

func (t RangeTest) check() error {
	switch {
	case !(t.Start > 0 && t.Start < t.End) || math.IsInf(t.End, 1):
		return fmt.Errorf("%w: a range test from a rate of %g to %g, wanted 0 < start < end", ErrConfig, t.Start, t.End)
	case t.Steps < 20:
		return fmt.Errorf("%w: a range test of %d steps, wanted at least 20", ErrConfig, t.Steps)
	}
	return nil
}

// at returns the rate of step i.
func (t RangeTest) at(i int) float64 {
	return t.Start * math.Pow(t.End/t.Start, float64(i)/float64(t.Steps-1))
}

// FindRate runs a range test with the network, the data and the optimiser that c describes, and returns c with what it left open filled in.
// Of a fine-tuning it is the rate of the strategy's first stage. Nothing is written, and the weights are afterwards what they were. progress, unless nil, is told of each step. The errors are those of Start.
func FindRate(ctx context.Context, c Config, dev device.Device, t RangeTest, progress func(p RatePoint, step int)) (RateCurve, Config, error) {
	if err := t.check(); err != nil {
		return RateCurve{}, c, err
	}
	r := &Run{Config: c}
	curve, err := r.findRate(ctx, dev, t, progress)
	return curve, r.Config, errors.Join(err, r.closeSource())
}

func (r *Run) findRate(ctx context.Context, dev device.Device, t RangeTest, progress func(p RatePoint, step int)) (RateCurve, error) {
	if err := r.build(ctx, dev); err != nil {
		return RateCurve{}, err
	}
	return r.rangeTest(ctx, t, progress)
}

// rangeTest runs a range test from the weights as they are, and restores them and the optimiser's state.
func (r *Run) rangeTest(ctx context.Context, t RangeTest, progress func(p RatePoint, step int)) (curve RateCurve, err error) {
	before, err := capture(r.tr)
	if err != nil {
		return curve, err
	}
	defer func() { err = errors.Join(err, before.restore(r.tr)) }()
	average, best := 0.0, math.Inf(1)
	for epoch := 0; len(curve.Points) < t.Steps && !curve.Diverged; epoch++ {
		it := r.batches.Epoch(ctx, epoch, 0)
		defer it.Close()
		for len(curve.Points) < t.Steps {
			b, err := it.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return curve, err
			}
			i := len(curve.Points)
			p := RatePoint{LR: t.at(i)}
			if err := r.give(b); err != nil {
				return curve, err
			}
			it.Release(b)
			if err := r.tr.Advance(r.progress.Updates+i, float32(p.LR), r.Config.emaDecay(i)); err != nil {
				return curve, err
			}
			st, norm, err := r.tr.Stats()
			if err != nil {
				return curve, err
			}
			if !finite(st.Loss) || !finite(norm) {
				curve.Diverged = true
				break
			}
			p.Loss = float64(st.Loss)
			average = rangeSmoothing*average + (1-rangeSmoothing)*p.Loss
			p.Smooth = average / (1 - math.Pow(rangeSmoothing, float64(i+1)))
			curve.Points = append(curve.Points, p)
			if progress != nil {
				progress(p, i+1)
			}
			best = min(best, p.Smooth)
			if p.Smooth > rangeExplosion*best {
				curve.Diverged = true
				break
			}
		}
	}
	curve.suggest(t.Steps)
	return curve, nil
}

// suggest fills in the suggestions. The first tenth of the steps, in which the average settles, does not count, nor does the very end. There are
// none where the average does not fall by more than chance moves it: fastai's finder suggests something for every curve, noise included.
func (c *RateCurve) suggest(steps int) {
	lo, hi := steps/10, len(c.Points)-rangeTail
	window := max(1, steps/20) // of a slope: from one step to the next there is mostly noise
	if hi-lo <= window {
		return
	}
	inner := c.Points[lo:hi]
	least := inner[0].Smooth
	for _, p := range inner {
		least = min(least, p.Smooth)
	}
	if inner[0].Smooth-least <= 3*c.noise(steps) {
		return
	}
	steepest, slope := 0, math.Inf(1)
	for i := range len(inner) - window {
		s := (inner[i+window].Smooth - inner[i].Smooth) / math.Log(inner[i+window].LR/inner[i].LR)
		if s < slope {
			steepest, slope = i+window/2, s
		}
	}
	c.Steepest, c.Valley = inner[steepest].LR, inner[valley(inner)].LR
}

// noise is the standard deviation of the average, from that of the losses in the first third of the steps, where the rate is too small to change
// them: the average is about one over 1/(1-rangeSmoothing) losses.
func (c *RateCurve) noise(steps int) float64 {
	first := c.Points[:min(len(c.Points), steps/3)]
	var sum, square float64
	for _, p := range first {
		sum += p.Loss
	}
	mean := sum / float64(len(first))
	for _, p := range first {
		square += (p.Loss - mean) * (p.Loss - mean)
	}
	return math.Sqrt(square / float64(len(first)) * (1 - rangeSmoothing))
}

// valley returns the point in the middle of the longest decline: the longest subsequence of falling losses, of whose stretch it takes
// the middle of the second third. It is far enough from where learning begins and from where it becomes unstable (fastai's "valley").
func valley(p []RatePoint) int {
	longest := make([]int, len(p)) // of a decline that ends here
	end := 0
	for i := range p {
		longest[i] = 1
		for j := range i {
			if p[i].Smooth < p[j].Smooth && longest[i] <= longest[j] {
				longest[i] = longest[j] + 1
			}
		}
		if longest[i] > longest[end] {
			end = i
		}
	}
	start := end - longest[end]
	third := float64(end-start) / 3
	return max(0, start+int(third)+int(third/2))
}

// captured is what a training changes: weights, running statistics, optimiser state, moving average.
type captured struct {
	weights, ema map[*graph.Param][]float32
	states       []map[*graph.Param][]float32
}

func capture(tr *graph.Training) (*captured, error) {
	c := &captured{states: make([]map[*graph.Param][]float32, len(tr.States()))}
	copyAll := func(get getter, trained bool) (map[*graph.Param][]float32, error) {
		m := map[*graph.Param][]float32{}
		for _, p := range tr.Weights().Graph().Params() {
			if trained && !p.Trainable() {
				continue
			}
			m[p] = make([]float32, p.Len())
			if err := get(p, m[p]); err != nil {
				return nil, err
			}
		}
		return m, nil
	}
	var err error
	if c.weights, err = copyAll(tr.Weights().Get, false); err != nil {
		return nil, err
	}
	for i := range c.states {
		if c.states[i], err = copyAll(func(p *graph.Param, dst []float32) error { return tr.GetState(i, p, dst) }, true); err != nil {
			return nil, err
		}
	}
	if tr.EMA() != nil {
		c.ema, err = copyAll(tr.EMA().Get, false)
	}
	return c, err
}

func (c *captured) restore(tr *graph.Training) error {
	var errs []error
	for p, v := range c.weights {
		errs = append(errs, tr.Weights().Set(p, v))
	}
	for p, v := range c.ema {
		errs = append(errs, tr.EMA().Set(p, v))
	}
	for i, state := range c.states {
		for p, v := range state {
			errs = append(errs, tr.SetState(i, p, v))
		}
	}
	return errors.Join(errs...)
}
