package augment

import (
	"fmt"
	"image"
	"math"

	"github.com/cnnctl/cnnctl/philox"
)

// maxPixels bounds the result of a resize that no crop follows. A valid image of 1x30000 pixels would otherwise ask
// for gigabytes when its short side becomes 256.
const maxPixels = 1 << 27

// Resize scales the image to H x W pixels. With Cover it keeps the aspect ratio and scales until the image just covers
// H x W, so one side usually ends up longer; for H == W this is torchvision's Resize(H), which scales the short side.
type Resize struct {
	H, W          int
	Cover         bool
	Interpolation Interpolation
}

func (t Resize) String() string {
	if t.Cover && t.H == t.W {
		return fmt.Sprintf("Resize(%d, %s)", t.H, t.Interpolation.orDefault())
	}
	if t.Cover {
		return fmt.Sprintf("Resize(cover %dx%d, %s)", t.H, t.W, t.Interpolation.orDefault())
	}
	return fmt.Sprintf("Resize(%dx%d, %s)", t.H, t.W, t.Interpolation.orDefault())
}

// size returns what a w x h image becomes.
func (t Resize) size(w, h int) image.Point {
	if !t.Cover {
		return image.Pt(t.W, t.H)
	}
	// The side that would be too short decides; the other rounds down, which still covers. In float64 like
	// torchvision, whose size*long/short is a float division.
	if h*t.W >= w*t.H {
		return image.Pt(t.W, max(t.H, int(float64(t.W*h)/float64(w))))
	}
	return image.Pt(max(t.W, int(float64(t.H*w)/float64(h))), t.H)
}

// Apply implements Transform. A result of more than 2^27 pixels is an error that wraps ErrSize.
func (t Resize) Apply(_ *philox.Stream, w *Work) error {
	whole := wholeBounds(w.Image())
	full := t.size(whole.Max.X, whole.Max.Y)
	if full.X*full.Y > maxPixels {
		return fmt.Errorf("%w: %v of a %dx%d image (width x height) gives %dx%d, more than %d pixels; remove the image or crop it",
			ErrSize, t, whole.Max.X, whole.Max.Y, full.X, full.Y, maxPixels)
	}
	w.resize(whole, full, image.Rectangle{Max: full}, t.Interpolation.orDefault())
	return nil
}

// CenterCrop cuts H x W pixels out of the middle and pads with black where the image is smaller.
type CenterCrop struct{ H, W int }

func (t CenterCrop) String() string { return fmt.Sprintf("CenterCrop(%d, %d)", t.H, t.W) }

// rect returns the part of a w x h image that remains; it may reach beyond the image. An odd difference rounds as in
// torchvision: half to even when cutting, and the smaller half to the left and top when padding.
func (t CenterCrop) rect(w, h int) image.Rectangle {
	x, y := middle(w, t.W), middle(h, t.H)
	return image.Rect(x, y, x+t.W, y+t.H)
}

// middle returns the offset of n centred pixels in a row of size pixels.
func middle(size, n int) int {
	if n > size {
		return -((n - size) / 2)
	}
	return int(math.RoundToEven(float64(size-n) / 2))
}

// Apply implements Transform.
func (t CenterCrop) Apply(_ *philox.Stream, w *Work) error {
	m := w.Image()
	w.crop(t.rect(m.W, m.H))
	return nil
}

// resizeCrop is a Resize that covers followed by a CenterCrop, computing only the pixels that remain.
type resizeCrop struct {
	Resize
	crop CenterCrop
}

func (t resizeCrop) String() string { return t.Resize.String() + " " + t.crop.String() }

func (t resizeCrop) Apply(r *philox.Stream, w *Work) error {
	whole := wholeBounds(w.Image())
	full := t.size(whole.Max.X, whole.Max.Y)
	win := t.crop.rect(full.X, full.Y)
	if !win.In(image.Rectangle{Max: full}) { // the crop pads
		if err := t.Resize.Apply(r, w); err != nil {
			return err
		}
		return t.crop.Apply(r, w)
	}
	w.resize(whole, full, win, t.Interpolation.orDefault())
	return nil
}

// fuse joins each Resize with the CenterCrop after it. The pixels are the same; the ones cut off are not computed.
func fuse(ts []Transform) []Transform {
	var out []Transform
	for _, t := range ts {
		if crop, ok := t.(CenterCrop); ok && len(out) > 0 {
			if r, ok := out[len(out)-1].(Resize); ok {
				out[len(out)-1] = resizeCrop{r, crop}
				continue
			}
		}
		out = append(out, t)
	}
	return out
}
