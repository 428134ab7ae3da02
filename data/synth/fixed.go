package synth

import (
	"math"

	"github.com/cnnctl/cnnctl/philox"
)

// Pictures are computed in integers with fracBits fraction bits, so that every machine draws the same bytes: floating
// point would differ where a compiler fuses multiplication and addition (arm64 does, amd64 does not).
const (
	fracBits = 12
	one      = 1 << fracBits
	turn     = 4096 // angle units of a full turn
)

// sine holds the sine of each angle unit. The rounding hides the last-bit differences of math.Sin between machines.
var sine = func() (t [turn]int16) {
	for i := range t {
		t[i] = int16(math.Round(one * math.Sin(2*math.Pi*float64(i)/turn)))
	}
	return t
}()

func sin(angle int) int { return int(sine[angle&(turn-1)]) }
func cos(angle int) int { return sin(angle + turn/4) }

// degrees converts to angle units.
func degrees(d int) int { return d * turn / 360 }

// percent converts to fixed point.
func percent(p int) int { return p * one / 100 }

// mul returns the product of two fixed-point numbers.
func mul(a, b int) int { return a * b >> fracBits }

// between returns a uniform integer of [lo, hi].
func between(s *philox.Stream, lo, hi int) int { return lo + s.IntN(hi-lo+1) }

// bell returns an integer of [lo, hi] with the triangular distribution: extremes are rare.
func bell(s *philox.Stream, lo, hi int) int { return (between(s, lo, hi) + between(s, lo, hi)) / 2 }

// chance is true p times of a hundred.
func chance(s *philox.Stream, p int) bool { return s.IntN(100) < p }
