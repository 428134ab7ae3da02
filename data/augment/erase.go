package augment

import (
	"fmt"
	"math"

	"github.com/cnnctl/cnnctl/philox"
)

// EraseMode says what a RandomErasing writes.
type EraseMode string

// The modes, named as in timm. The empty mode means EraseConst.
const (
	EraseConst EraseMode = "const" // zero, which is the mean after normalisation
	EraseRand  EraseMode = "rand"  // one standard normal value per channel
	ErasePixel EraseMode = "pixel" // a standard normal value per element
)

func (m EraseMode) validate() error {
	switch m {
	case "", EraseConst, EraseRand, ErasePixel:
		return nil
	}
	return fmt.Errorf("%w: erase mode %q is unknown; use const, rand or pixel", ErrConfig, string(m))
}

// RandomErasing overwrites, with probability P, a rectangle with a random share of the area (uniform in Scale) and a
// random aspect ratio (height by width, log-uniform in Ratio): Zhong et al., "Random Erasing Data Augmentation" (2017).
// It works on the normalised tensor.
type RandomErasing struct {
	P            float64
	Scale, Ratio [2]float64
	Mode         EraseMode
}

// NewRandomErasing returns the erasing of timm's train.py: 2 % to a third of the area, aspect ratio 0.3 to 1/0.3.
func NewRandomErasing(p float64, mode EraseMode) RandomErasing {
	return RandomErasing{P: p, Scale: [2]float64{0.02, 1.0 / 3}, Ratio: [2]float64{0.3, 1 / 0.3}, Mode: mode}
}

func (t RandomErasing) String() string {
	mode := t.Mode
	if mode == "" {
		mode = EraseConst
	}
	return fmt.Sprintf("RandomErasing(p=%.3g, %s)", t.P, mode)
}

// apply erases in x (h, w, c). A rectangle that does not fit is drawn again, at most ten times.
func (t RandomErasing) apply(r *philox.Stream, x []float32, h, w, c int) {
	if !r.Bool(t.P) {
		return
	}
	lo, hi := math.Log(t.Ratio[0]), math.Log(t.Ratio[1])
	for range 10 {
		area := float64(h*w) * r.Uniform(t.Scale[0], t.Scale[1])
		ratio := math.Exp(r.Uniform(lo, hi))
		eh := int(math.RoundToEven(math.Sqrt(area * ratio)))
		ew := int(math.RoundToEven(math.Sqrt(area / ratio)))
		if eh >= h || ew >= w {
			continue
		}
		top, left := r.IntN(h-eh+1), r.IntN(w-ew+1)
		var fill [3]float32
		if t.Mode == EraseRand {
			for k := range c {
				fill[k] = float32(r.Normal())
			}
		}
		for y := top; y < top+eh; y++ {
			row := x[(y*w+left)*c:][:ew*c]
			for i := range row {
				if t.Mode == ErasePixel {
					row[i] = float32(r.Normal())
				} else {
					row[i] = fill[i%c]
				}
			}
		}
		return
	}
}
