package augment

import (
	"fmt"
	"math"

	"github.com/cnnctl/cnnctl/philox"
)

// TrivialAugmentWide applies one operation with a magnitude that is uniform from nothing to very strong: Müller and Hutter, "TrivialAugment:
// Tuning-free Yet State-of-the-Art Data Augmentation" (2021), in the wide space and the 31 steps of torchvision's class of this name.
// Interpolation and Fill serve the operations that move pixels; the default is Bilinear, as in torchvision's training scripts. Bicubic
// counts as Bilinear.
type TrivialAugmentWide struct {
	Interpolation Interpolation
	Fill          [3]uint8
}

func (t TrivialAugmentWide) String() string {
	return fmt.Sprintf("TrivialAugmentWide(%s)", warpFilter(t.Interpolation))
}

func (t TrivialAugmentWide) validate() error { return t.Interpolation.validate() }

// trivialSteps is the number of magnitudes, from 0.
const trivialSteps = 31

// A trivialOp is a row of torchvision's table.
type trivialOp struct {
	op     op
	arg    func(step int) float64 // nil: no argument
	signed bool                   // the sign of the magnitude is random
	base   float64                // the argument is base plus or minus the magnitude
}

var trivialOps = func() []trivialOp {
	upTo := func(limit float32) func(int) float64 {
		return func(step int) float64 { return linspace(0, limit, step) }
	}
	whole := func(step int) float64 { return math.Trunc(linspace(0, 32, step)) }
	posterize := func(step int) float64 { return 8 - math.RoundToEven(float64(float32(step)/5)) } // 30 steps for 6 bits
	solarize := func(step int) float64 { return linspace(255, 0, step) }
	return []trivialOp{
		{op: opIdentity},
		{op: opShearX, arg: upTo(0.99), signed: true},
		{op: opShearY, arg: upTo(0.99), signed: true},
		{op: opTranslateX, arg: whole, signed: true},
		{op: opTranslateY, arg: whole, signed: true},
		{op: opRotate, arg: upTo(135), signed: true},
		{op: opBrightness, arg: upTo(0.99), signed: true, base: 1},
		{op: opColor, arg: upTo(0.99), signed: true, base: 1},
		{op: opContrast, arg: upTo(0.99), signed: true, base: 1},
		{op: opSharpness, arg: upTo(0.99), signed: true, base: 1},
		{op: opPosterize, arg: posterize},
		{op: opSolarize, arg: solarize},
		{op: opAutoContrast},
		{op: opEqualize},
	}
}()

// linspace returns element step of torch.linspace(from, to, 31), which counts from the nearer end, in float32. (PyTorch's vector code
// differs from its scalar code, which this is, in the last bit of some elements.)
func linspace(from, to float32, step int) float64 {
	width := (to - from) / (trivialSteps - 1)
	if step < trivialSteps/2 {
		return float64(from + float32(width*float32(step)))
	}
	return float64(to - float32(width*float32(trivialSteps-1-step)))
}

// Apply implements Transform.
func (t TrivialAugmentWide) Apply(r *philox.Stream, w *Work) error {
	o := &trivialOps[r.IntN(len(trivialOps))]
	arg := 0.0
	if o.arg != nil {
		arg = o.arg(r.IntN(trivialSteps))
	}
	if o.signed {
		arg = o.base + negate(r, arg)
	}
	o.op.apply(w, arg, warpFilter(t.Interpolation), t.Fill)
	return nil
}
