package train

import (
	"fmt"
	"math"
)

// Schedule is the learning rate as a function of the number of updates made so far. It is evaluated at every update, not once an epoch.
type Schedule struct {
	Kind          string  // "constant", "step", "cosine" or "onecycle"
	Base          float64 // the rate after the warm-up; one-cycle's peak
	Min           float64 // cosine: the rate at the end
	Epochs        int
	StepsPerEpoch int
	WarmupEpochs  float64 // the rate climbs linearly to Base, or in one-cycle along a cosine
	DecayEpochs   float64 // step: epochs between two decays, counted from the beginning as in torchvision
	DecayRate     float64 // step: factor of each decay
}

// Schedules lists the kinds.
var Schedules = []string{"constant", "step", "cosine", "onecycle"}

func (s Schedule) check() error {
	switch s.Kind {
	case "constant", "cosine", "onecycle":
	case "step":
		if !(s.DecayEpochs > 0) || !(s.DecayRate > 0) || math.IsInf(s.DecayRate, 1) {
			return fmt.Errorf("%w: step schedule with --decay-epochs %g and --decay-rate %g, wanted positive numbers", ErrConfig, s.DecayEpochs, s.DecayRate)
		}
	default:
		return fmt.Errorf("%w: --sched %q, wanted one of %v", ErrConfig, s.Kind, Schedules)
	}
	if !(s.Base >= 0) || math.IsInf(s.Base, 1) || !(s.Min >= 0) || math.IsInf(s.Min, 1) {
		return fmt.Errorf("%w: --lr %g and --min-lr %g, wanted rates of at least 0", ErrConfig, s.Base, s.Min)
	}
	if !(s.WarmupEpochs >= 0) || math.IsInf(s.WarmupEpochs, 1) {
		return fmt.Errorf("%w: --warmup-epochs %g, wanted at least 0", ErrConfig, s.WarmupEpochs)
	}
	return nil
}

// One-cycle's shape in PyTorch's OneCycleLR, after Smith and Topin (arXiv:1708.07120): it begins at 1/25 of the peak, climbs for 30 % of the
// steps, and ends at 1/10,000 of where it began.
const (
	oneCycleStart = 1.0 / 25
	oneCycleEnd   = 1e-4
	oneCyclePeak  = 0.3
)

// At returns the learning rate of the update that follows on `updates` others.
func (s Schedule) At(updates int) float64 {
	total := float64(s.Epochs) * float64(s.StepsPerEpoch)
	warm := math.Min(s.WarmupEpochs*float64(s.StepsPerEpoch), total)
	u := float64(updates)
	if s.Kind == "onecycle" {
		if warm == 0 {
			warm = oneCyclePeak * total
		}
		start := s.Base * oneCycleStart
		if u < warm-1 {
			return cosine(start, s.Base, u/(warm-1))
		}
		return cosine(s.Base, start*oneCycleEnd, (u-math.Max(warm-1, 0))/math.Max(total-warm, 1))
	}
	if u < warm {
		return s.Base * (u + 1) / math.Ceil(warm+1)
	}
	switch s.Kind {
	case "step":
		epoch := u / float64(s.StepsPerEpoch)
		return s.Base * math.Pow(s.DecayRate, math.Floor(epoch/s.DecayEpochs))
	case "cosine":
		return cosine(s.Base, s.Min, (u-warm)/math.Max(total-warm, 1))
	}
	return s.Base
}

// cosine goes from a at t=0 to b at t=1 along half a cosine (Loshchilov and Hutter, arXiv:1608.03983).
func cosine(a, b, t float64) float64 {
	t = math.Min(math.Max(t, 0), 1)
	return b + (a-b)*(1+math.Cos(math.Pi*t))/2
}
