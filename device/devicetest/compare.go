package devicetest

import (
	"fmt"
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// single is the relative error of one rounding to float32.
const single = 1.0 / (1 << 24)

// tolerance is the error that a correct implementation may have before its result is stored, in units of |want| + rms.
//
// A sum of n products has n rounding errors of random sign, each relative to a partial sum that grows with the square root: the error
// relative to the result grows with sqrt(n) as well. The order of the sum is the device's affair. The constants are
// generous to a few roundings more or less, and far below what a wrong term would make.
//
// TF32 rounds both factors of a product by up to 2^-11 each. Over a sum the errors have random signs, like its terms, so that the error
// is a share of the result's usual size, and a single product is off by 2·2^-11 of itself. The products of bfloat16 are exact in float32.
func (c Case) tolerance() float64 {
	t := single * (16 + 4*math.Sqrt(float64(c.Terms)))
	if c.Product && c.Precision == device.TF32 {
		t += 4.0 / (1 << 11)
	}
	return t * max(1, c.Growth)
}

// rounding is the relative error of storing a result in a type other than float32, whose own is part of the tolerance.
func rounding(t device.Type) float64 {
	if t == device.BFloat16 {
		return 1.0 / (1 << 8)
	}
	return 0
}

// A deviation is the element of an output that is furthest from the oracle.
type deviation struct {
	index int
	got   float32
	want  float64
	error float64 // in units of the tolerance: more than 1 is wrong
}

func (d deviation) String() string {
	return fmt.Sprintf("element %d is %v (bits %#08x), want %v: %.3g times the tolerance", d.index, d.got, math.Float32bits(d.got), d.want, d.error)
}

// worst compares an output with the oracle's.
func worst(p operand, got []float32, want []float64, tolerance float64) deviation {
	square, n := 0.0, 0
	for _, w := range want {
		if !math.IsNaN(w) && !math.IsInf(w, 0) {
			square += w * w
			n++
		}
	}
	rms := math.Sqrt(square / float64(max(1, n)))
	d := deviation{index: -1, error: -1}
	for i, g := range got {
		w := want[i]
		scale := tolerance*(math.Abs(w)+rms) + rounding(p.typ)*math.Abs(w)
		switch {
		case p.compare == exact, p.compare == statistics && i > 0:
			scale = 0
		case p.compare == statistics:
			scale = tolerance * math.Abs(w)
		}
		if e := distance(g, w, scale, p.typ); e > d.error {
			d = deviation{i, g, w, e}
		}
	}
	return d
}

// distance returns |got-want| in units of scale; infinite where one of them is no finite number and the other is not the same.
func distance(got float32, want, scale float64, t device.Type) float64 {
	g := float64(got)
	switch {
	case math.Float32bits(got) == math.Float32bits(decode(poisoned, t)[0]):
		return math.Inf(1)
	case g == want, stored(want, t) == got, g != g && want != want:
		return 0
	case g != g || want != want || math.IsInf(g, 0) || math.IsInf(want, 0) || scale == 0:
		return math.Inf(1)
	}
	return math.Abs(g-want) / scale
}

// poisoned is the memory of an element that was not written.
var poisoned = device.Bytes([]uint32{poison})

// stored rounds a value to a type.
func stored(v float64, t device.Type) float32 {
	if t == device.BFloat16 {
		return device.FromBFloat16(device.ToBFloat16(float32(v)))
	}
	return float32(v)
}
