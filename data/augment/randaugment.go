package augment

import (
	"fmt"
	"math"
	"strings"

	"github.com/cnnctl/cnnctl/philox"
)

// RandAugment applies N operations, chosen at random, each with probability P and about the same magnitude: Cubuk et al., "RandAugment:
// Practical automated data augmentation with a reduced search space" (2019), in the form that timm has given it.
//
// A magnitude of 10 is the strongest rotation, shear and translation of the paper's ranges. Without Increasing, posterising, solarising and
// the blends of colour, contrast, brightness and sharpness follow the scales of the TPU code that timm began with, which do not all grow
// with the magnitude; with it, all operations do.
type RandAugment struct {
	N          int     // operations for each image
	P          float64 // probability of each of them
	Magnitude  float64 // usually 0 to 10
	Std        float64 // of the magnitude about that, normally distributed; infinite: uniform from 0 to Magnitude
	Max        float64 // of the magnitude that results
	Increasing bool
	Weights    RandWeights
	// Interpolation and Fill, the values of the three channels, serve the operations that move pixels. Bicubic counts as Bilinear.
	Interpolation Interpolation
	Fill          [3]uint8
}

// RandWeights says how often each operation is chosen.
type RandWeights string

// The weights. Uniform choices may repeat an operation, weighted ones do not.
const (
	RandUniform  RandWeights = ""
	RandWeighted RandWeights = "weights" // timm's "tweights": mostly geometry
	RandOld      RandWeights = "0"       // timm's "w0", before version 0.8
)

// A randOp is a row of RandAugment's table: the argument of an operation at magnitude m, and how often RandWeighted and RandOld choose it.
type randOp struct {
	op            op
	plain, inc    func(m float64, r *philox.Stream, width, height int) float64 // nil: no argument
	weighted, old float64
}

// negate changes the sign in one case of two.
func negate(r *philox.Stream, v float64) float64 {
	if r.Bool(0.5) {
		return -v
	}
	return v
}

// signed is an argument that grows to limit at magnitude 10, to either side.
func signed(limit float64) func(float64, *philox.Stream, int, int) float64 {
	return func(m float64, r *philox.Stream, _, _ int) float64 { return negate(r, m/10*limit) }
}

// randOps are timm's _RAND_TRANSFORMS and _RAND_INCREASING_TRANSFORMS, with its level-to-argument functions.
var randOps = func() []randOp {
	type arg = func(m float64, r *philox.Stream, width, height int) float64
	whole := func(f func(m float64) float64) arg {
		return func(m float64, _ *philox.Stream, _, _ int) float64 { return f(m) }
	}
	blendPlain := whole(func(m float64) float64 { return m/10*1.8 + 0.1 })
	blendInc := func(m float64, r *philox.Stream, _, _ int) float64 { return max(0.1, 1+negate(r, m/10*0.9)) }
	rotate, shear := signed(30), signed(0.3)
	posterize := whole(func(m float64) float64 { return math.Trunc(m / 10 * 4) })
	posterizeInc := whole(func(m float64) float64 { return 4 - math.Trunc(m/10*4) })
	solarize := whole(func(m float64) float64 { return math.Trunc(m / 10 * 256) })
	solarizeInc := whole(func(m float64) float64 { return 256 - math.Trunc(m/10*256) })
	add := whole(func(m float64) float64 { return math.Trunc(m / 10 * 110) })
	share := signed(0.45)
	moveX := func(m float64, r *philox.Stream, width, _ int) float64 { return share(m, r, 0, 0) * float64(width) }
	moveY := func(m float64, r *philox.Stream, _, height int) float64 { return share(m, r, 0, 0) * float64(height) }
	return []randOp{
		{opAutoContrast, nil, nil, 0.25, 0.025},
		{opEqualize, nil, nil, 0.05, 0.005},
		{opInvert, nil, nil, 0.05, 0},
		{opRotate, rotate, rotate, 3, 0.3},
		{opPosterize, posterize, posterizeInc, 0.05, 0},
		{opSolarize, solarize, solarizeInc, 0.05, 0.005},
		{opSolarizeAdd, add, add, 0.05, 0.005},
		{opColor, blendPlain, blendInc, 0.25, 0.025},
		{opContrast, blendPlain, blendInc, 0.05, 0.005},
		{opBrightness, blendPlain, blendInc, 0.05, 0.005},
		{opSharpness, blendPlain, blendInc, 0.25, 0.025},
		{opShearX, shear, shear, 2, 0.2},
		{opShearY, shear, shear, 2, 0.2},
		{opTranslateX, moveX, moveX, 1, 0.1},
		{opTranslateY, moveY, moveY, 1, 0.1},
	}
}()

// argument returns the operation's argument at a magnitude, for an image of width x height pixels.
func (o *randOp) argument(m float64, inc bool, r *philox.Stream, width, height int) float64 {
	f := o.plain
	if inc {
		f = o.inc
	}
	if f == nil {
		return 0
	}
	return f(m, r, width, height)
}

// weight returns how often o is chosen, in proportion to the others.
func (o *randOp) weight(w RandWeights) float64 {
	switch w {
	case RandWeighted:
		return o.weighted
	case RandOld:
		return o.old
	}
	return 1
}

// String writes t in timm's grammar.
func (t RandAugment) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "RandAugment(rand-m%g-n%d-p%g", t.Magnitude, t.N, t.P)
	if t.Std > 0 {
		fmt.Fprintf(&b, "-mstd%g", t.Std)
	}
	if t.Max != 10 {
		fmt.Fprintf(&b, "-mmax%g", t.Max)
	}
	if t.Increasing {
		b.WriteString("-inc1")
	}
	switch t.Weights {
	case RandWeighted:
		b.WriteString("-tweights")
	case RandOld:
		b.WriteString("-w0")
	}
	fmt.Fprintf(&b, ", %s)", warpFilter(t.Interpolation))
	return b.String()
}

// warpFilter returns the filter for moving pixels: there is no bicubic one.
func warpFilter(ip Interpolation) Interpolation {
	if ip == Nearest {
		return Nearest
	}
	return Bilinear
}

// Apply implements Transform.
func (t RandAugment) Apply(r *philox.Stream, w *Work) error {
	var chosen [len(opNames)]bool
	for range t.N {
		o := t.choose(r, &chosen)
		if !r.Bool(t.P) {
			continue
		}
		m := t.magnitude(r)
		img := w.Image()
		o.op.apply(w, o.argument(m, t.Increasing, r, img.W, img.H), warpFilter(t.Interpolation), t.Fill)
	}
	return nil
}

// choose draws an operation; weighted choices leave out those that were chosen before.
func (t RandAugment) choose(r *philox.Stream, chosen *[len(opNames)]bool) *randOp {
	if t.Weights == RandUniform {
		return &randOps[r.IntN(len(randOps))]
	}
	total := 0.0
	for i := range randOps {
		if !chosen[i] {
			total += randOps[i].weight(t.Weights)
		}
	}
	at := r.Float64() * total
	last := 0
	for i := range randOps {
		v := randOps[i].weight(t.Weights)
		if chosen[i] || v == 0 {
			continue
		}
		last = i
		if at -= v; at < 0 {
			break
		}
	}
	chosen[last] = true
	return &randOps[last]
}

func (t RandAugment) magnitude(r *philox.Stream) float64 {
	m := t.Magnitude
	switch {
	case math.IsInf(t.Std, 1):
		m = r.Uniform(0, m)
	case t.Std > 0:
		m += t.Std * r.Normal()
	}
	return min(max(m, 0), t.Max)
}

func (t RandAugment) validate() error {
	choices := 0
	for i := range randOps {
		if randOps[i].weight(t.Weights) > 0 {
			choices++
		}
	}
	err := first(validateMagnitude("the magnitude (m)", t.Magnitude, 100), validateProbability("the probability (p)", t.P),
		validateMagnitude("the largest magnitude (mmax)", t.Max, 100), t.Interpolation.validate())
	switch {
	case err != nil:
		return err
	case !(t.Std >= 0):
		return fmt.Errorf("%w: the magnitude's deviation (mstd) is %g; want at least 0", ErrConfig, t.Std)
	case t.N < 1 || t.N > 100:
		return fmt.Errorf("%w: the number of operations (n) is %d; want 1 to 100", ErrConfig, t.N)
	case t.Weights != RandUniform && t.N > choices:
		return fmt.Errorf("%w: the number of operations (n) is %d; want at most %d, since weighted choices do not repeat", ErrConfig, t.N, choices)
	}
	return nil
}
