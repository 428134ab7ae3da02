package augment

import (
	"fmt"
	"math"
	"slices"

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

// EraseModes lists the modes.
var EraseModes = []EraseMode{EraseConst, EraseRand, ErasePixel}

func (m EraseMode) validate() error {
	if m == "" || slices.Contains(EraseModes, m) {
		return nil
	}
	return fmt.Errorf("%w: erase mode %q is unknown; use const, rand or pixel", ErrConfig, string(m))
}

// RandomErasing overwrites, with probability P, a rectangle with a random share of the area (uniform in Scale) and a
// random aspect ratio (height by width, log-uniform in Ratio): Zhong et al., "Random Erasing Data Augmentation" (2017).
// With a Count above 1 there are 1 to Count rectangles, which share that area, as in timm. It works on the normalised tensor.
type RandomErasing struct {
	P            float64
	Scale, Ratio [2]float64
	Mode         EraseMode
	Count        int // at most; 0 means 1
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
	if t.Count > 1 {
		return fmt.Sprintf("RandomErasing(p=%.3g, %s, up to %d)", t.P, mode, t.Count)
	}
	return fmt.Sprintf("RandomErasing(p=%.3g, %s)", t.P, mode)
}

// apply erases in x (h, w, c).
func (t RandomErasing) apply(r *philox.Stream, x []float32, h, w, c int) {
	if !r.Bool(t.P) {
		return
	}
	count := 1
	if t.Count > 1 {
		count += r.IntN(t.Count)
	}
	for range count {
		t.eraseOne(r, x, h, w, c, count)
	}
}

// eraseOne erases one of count rectangles. One that does not fit is drawn again, at most ten times.
func (t RandomErasing) eraseOne(r *philox.Stream, x []float32, h, w, c, count int) {
	lo, hi := math.Log(t.Ratio[0]), math.Log(t.Ratio[1])
	for range 10 {
		area := float64(h*w) * r.Uniform(t.Scale[0], t.Scale[1]) / float64(count)
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
