package report

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// ticks places labels at the multiples of 1, 2 or 5 times a power of ten, at most seven of them.
type ticks struct {
	whole  bool    // whole numbers only: there is no epoch 2.5
	atMost float64 // no label above it, unless zero: there is no accuracy of 1.02
}

// Ticks implements plot.Ticker.
func (t ticks) Ticks(lo, hi float64) []plot.Tick {
	exp := int(math.Floor(math.Log10((hi - lo) / 7)))
	if t.whole {
		exp = max(exp, 0)
	}
	var step float64
	for _, digit := range []float64{1, 2, 5, 10} {
		if step = digit * math.Pow10(exp); (hi-lo)/step <= 7 {
			if digit == 10 {
				exp++ // one decimal less
			}
			break
		}
	}
	if t.atMost != 0 {
		hi = min(hi, t.atMost)
	}
	// A share of a step in reserve keeps the rounding of lo and hi from losing the first or the last label.
	const eps = 1e-9
	var list []plot.Tick
	for i := math.Ceil(lo/step - eps); i <= hi/step+eps; i++ {
		v := (i + 0) * step // a ceiling of -0.5 is -0, which would get a sign
		list = append(list, plot.Tick{Value: v, Label: tickLabel(v, exp)})
	}
	return list
}

// tickLabel writes v with as many decimals as a multiple of 10^exp needs.
func tickLabel(v float64, exp int) string {
	if exp < -4 || exp > 5 {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	return strconv.FormatFloat(v, 'f', max(-exp, 0), 64)
}
