package devicetest

import (
	"fmt"
	"math"
)

// single is the relative error of one rounding to float32.
const single = 1.0 / (1 << 24)

// tolerance is the error that a correct implementation may have, in units of |want| + rms.
//
// A sum of n products has n rounding errors of random sign, each relative to a partial sum that grows with the square root: the error
// relative to the result grows with sqrt(n) as well. The order of the sum is the device's affair. The constants are
// generous to a few roundings more or less, and far below what a wrong term would make.
func (c Case) tolerance(o Options) float64 {
	t := single * (16 + 4*math.Sqrt(float64(c.Terms)))
	if c.Product && o.Epsilon > single {
		t += 8 * o.Epsilon // the factors are rounded, independently of the length
	}
	return t
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
func worst(how compare, got []float32, want []float64, tolerance float64) deviation {
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
		scale := tolerance * (math.Abs(w) + rms)
		switch {
		case how == exact, how == statistics && i > 0:
			scale = 0
		case how == statistics:
			scale = tolerance * math.Abs(w)
		}
		if e := distance(g, w, scale); e > d.error {
			d = deviation{i, g, w, e}
		}
	}
	return d
}

// distance returns |got-want| in units of scale; infinite where one of them is no finite number and the other is not the same.
func distance(got float32, want, scale float64) float64 {
	g := float64(got)
	switch {
	case math.Float32bits(got) == poison:
		return math.Inf(1)
	case g == want, float32(want) == got, g != g && want != want:
		return 0
	case g != g || want != want || math.IsInf(g, 0) || math.IsInf(want, 0) || scale == 0:
		return math.Inf(1)
	}
	return math.Abs(g-want) / scale
}
