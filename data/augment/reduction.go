package augment

import (
	"image"

	"github.com/cnnctl/cnnctl/philox"
)

// reserve is how many times as wide and high as the result of its resize a reduced image remains. A filter that makes an image half as large or smaller
// averages over four pixels or more in each direction: it hardly lets pass the upper half of the reduced image's frequencies, where a DCT that was
// cut short differs from the whole one. PIL's thumbnail keeps the same reserve.
const reserve = 2

// Reduction returns by how much a reader may divide width and height of a w x h image that is to be prepared with the random numbers of r: 1, 2, 4 or 8, the
// largest for which the first resize still halves what is left of the image, or of the crop that it will draw. It is 1 where something else comes
// first. r is a copy: Apply draws the same numbers again.
func (p *Pipeline) Reduction(r philox.Stream, w, h int) int {
	for _, t := range p.ts {
		part, full, ip := image.Pt(w, h), image.Point{}, Interpolation("")
		switch t := t.(type) {
		case Grayscale, ToRGB: // are the same for every pixel, so they may come before the resize
			continue
		case Resize:
			full, ip = t.size(w, h), t.Interpolation
		case resizeCrop:
			full, ip = t.size(w, h), t.Interpolation
		case RandomResizedCrop:
			part, full, ip = t.draw(&r, w, h).Size(), image.Pt(t.W, t.H), t.Interpolation
		default:
			return 1
		}
		if ip == Nearest { // is no filter
			return 1
		}
		for n := 8; n > 1; n /= 2 {
			if part.X >= reserve*n*full.X && part.Y >= reserve*n*full.Y {
				return n
			}
		}
		return 1
	}
	return 1
}
