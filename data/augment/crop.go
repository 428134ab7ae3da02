package augment

import (
	"fmt"
	"image"
	"math"

	"github.com/cnnctl/cnnctl/philox"
)

// RandomCrop cuts H x W pixels at a uniform position out of the image padded with Padding black pixels on every side:
// the pad-and-crop of CIFAR training (He et al., "Deep Residual Learning", section 4.2: 4 pixels around 32x32). An image
// that is too small even with its padding is padded further, on both sides.
type RandomCrop struct{ H, W, Padding int }

func (t RandomCrop) String() string {
	return fmt.Sprintf("RandomCrop(%d, %d, padding=%d)", t.H, t.W, t.Padding)
}

// Apply implements Transform.
func (t RandomCrop) Apply(r *philox.Stream, w *Work) error {
	m := w.Image()
	x := offset(r, m.W, t.W, t.Padding)
	y := offset(r, m.H, t.H, t.Padding)
	w.crop(image.Rect(x, y, x+t.W, y+t.H))
	return nil
}

// offset draws where n pixels begin in a row of size pixels with pad more before and after, or twice the missing
// number (torchvision's pad_if_needed) where that is not enough.
func offset(r *philox.Stream, size, n, pad int) int {
	if missing := n - size - 2*pad; missing > 0 {
		pad += missing
	}
	return r.IntN(size+2*pad-n+1) - pad
}

// RandomResizedCrop cuts out a part with a random share of the area (uniform in Scale) and a random aspect ratio (width
// by height, log-uniform in Ratio) and resizes it to H x W: the augmentation of Szegedy et al., "Going deeper with
// convolutions", section 6, which became standard for ImageNet with Scale (0.08, 1) and Ratio (3/4, 4/3).
type RandomResizedCrop struct {
	H, W          int
	Scale, Ratio  [2]float64
	Interpolation Interpolation
}

func (t RandomResizedCrop) String() string {
	return fmt.Sprintf("RandomResizedCrop(%dx%d, scale=%.3g..%.3g, ratio=%.3g..%.3g, %s)",
		t.H, t.W, t.Scale[0], t.Scale[1], t.Ratio[0], t.Ratio[1], t.Interpolation.orDefault())
}

// draw returns the part of a w x h image to use. Ten draws may fail to fit; then it is the largest central part whose
// aspect ratio lies in Ratio, as in torchvision.
func (t RandomResizedCrop) draw(r *philox.Stream, w, h int) image.Rectangle {
	area := float64(w) * float64(h)
	lo, hi := math.Log(t.Ratio[0]), math.Log(t.Ratio[1])
	for range 10 {
		a := area * r.Uniform(t.Scale[0], t.Scale[1])
		ratio := math.Exp(r.Uniform(lo, hi))
		cw := int(math.RoundToEven(math.Sqrt(a * ratio)))
		ch := int(math.RoundToEven(math.Sqrt(a / ratio)))
		if 0 < cw && cw <= w && 0 < ch && ch <= h {
			y := r.IntN(h - ch + 1)
			x := r.IntN(w - cw + 1)
			return image.Rect(x, y, x+cw, y+ch)
		}
	}
	cw, ch := w, h
	if in := float64(w) / float64(h); in < t.Ratio[0] {
		ch = min(h, max(1, int(math.RoundToEven(float64(w)/t.Ratio[0]))))
	} else if in > t.Ratio[1] {
		cw = min(w, max(1, int(math.RoundToEven(float64(h)*t.Ratio[1]))))
	}
	x, y := (w-cw)/2, (h-ch)/2
	return image.Rect(x, y, x+cw, y+ch)
}

// Apply implements Transform.
func (t RandomResizedCrop) Apply(r *philox.Stream, w *Work) error {
	whole := w.Image().Whole()
	full := image.Pt(t.W, t.H)
	w.resize(t.draw(r, whole.W, whole.H), full, image.Rectangle{Max: full}, t.Interpolation.orDefault())
	return nil
}
