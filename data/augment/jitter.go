package augment

import (
	"fmt"
	"math"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/philox"
)

// ColorJitter changes brightness, contrast and saturation by factors uniform in [max(0, 1-x), 1+x], and turns the hue
// by a share of the colour circle uniform in [-Hue, Hue] (at most 0.5), in random order. What is 0 stays as it is; grey
// images have neither saturation nor hue.
type ColorJitter struct{ Brightness, Contrast, Saturation, Hue float64 }

func (t ColorJitter) String() string {
	return fmt.Sprintf("ColorJitter(%.3g, %.3g, %.3g, %.3g)", t.Brightness, t.Contrast, t.Saturation, t.Hue)
}

// jitter is what ColorJitter draws for one sample.
type jitter struct {
	order                                 [4]int // of brightness, contrast, saturation and hue, numbered from 0
	brightness, contrast, saturation, hue float64
}

// draw makes all choices, used or not, so that switching one step off leaves the others' as they were.
func (t ColorJitter) draw(r *philox.Stream) jitter {
	var j jitter
	r.Perm(j.order[:])
	factor := func(x float64) float64 { return r.Uniform(max(0, 1-x), 1+x) }
	j.brightness = factor(t.Brightness)
	j.contrast = factor(t.Contrast)
	j.saturation = factor(t.Saturation)
	j.hue = r.Uniform(-t.Hue, t.Hue)
	return j
}

// Apply implements Transform.
func (t ColorJitter) Apply(r *philox.Stream, w *Work) error {
	m := w.Image()
	j := t.draw(r)
	for _, k := range j.order {
		switch {
		case k == 0 && t.Brightness > 0:
			adjustBrightness(m, j.brightness)
		case k == 1 && t.Contrast > 0:
			adjustContrast(m, j.contrast)
		case k == 2 && t.Saturation > 0:
			adjustSaturation(m, j.saturation)
		case k == 3 && t.Hue > 0:
			adjustHue(m, j.hue)
		}
	}
	return nil
}

// blend moves from base towards v by factor, and past it for a factor above 1. It rounds towards zero and computes in
// float32, as PIL does; the conversion of the product forbids a fused multiply-add.
func blend(base, v uint8, factor float32) uint8 {
	x := float32(base) + float32(factor*float32(int(v)-int(base)))
	return uint8(min(max(x, 0), 255))
}

// blendAll blends each byte with the same base, through a table.
func blendAll(m *data.Image, base uint8, factor float64) {
	var table [256]uint8
	for v := range table {
		table[v] = blend(base, uint8(v), float32(factor))
	}
	lookup(m, &table)
}

// adjustBrightness blends with black.
func adjustBrightness(m *data.Image, factor float64) { blendAll(m, 0, factor) }

// adjustContrast blends with the mean grey of the image.
func adjustContrast(m *data.Image, factor float64) {
	sum := 0
	if m.C == 1 {
		for _, v := range m.Pix {
			sum += int(v)
		}
	} else {
		for p := m.Pix; len(p) >= 3; p = p[3:] {
			sum += int(luma(p[0], p[1], p[2]))
		}
	}
	n := m.W * m.H
	blendAll(m, uint8(float64(sum)/float64(n)+0.5), factor)
}

// adjustSaturation blends each pixel with its own grey.
func adjustSaturation(m *data.Image, factor float64) {
	if m.C == 1 {
		return
	}
	f := float32(factor)
	for p := m.Pix; len(p) >= 3; p = p[3:] {
		y := luma(p[0], p[1], p[2])
		p[0], p[1], p[2] = blend(y, p[0], f), blend(y, p[1], f), blend(y, p[2], f)
	}
}

// adjustHue turns the hue by share of the colour circle. It goes through 8-bit HSV, in which the circle has 256 steps
// that PIL spaces 1/255 apart.
func adjustHue(m *data.Image, share float64) {
	if m.C == 1 {
		return
	}
	shift := uint8(int(share * 255))
	for p := m.Pix; len(p) >= 3; p = p[3:] {
		h, s, v := toHSV(p[0], p[1], p[2])
		p[0], p[1], p[2] = fromHSV(h+shift, s, v)
	}
}

// toHSV converts to hue, saturation and value (Smith, "Color gamut transform pairs", SIGGRAPH 1978), each scaled to
// 0..255 and truncated.
func toHSV(r, g, b uint8) (h, s, v uint8) {
	hi, lo := max(r, g, b), min(r, g, b)
	if hi == lo {
		return 0, 0, hi
	}
	span := float32(hi - lo)
	fr, fg, fb := float32(hi-r)/span, float32(hi-g)/span, float32(hi-b)/span
	var turn float64 // in sixths of the circle
	switch hi {
	case r:
		turn = float64(fb - fg)
	case g:
		turn = float64(float32(2 + float64(fr) - float64(fb)))
	default:
		turn = float64(float32(4 + float64(fg) - float64(fr)))
	}
	_, turn = math.Modf(float64(float32(turn))/6 + 1)
	return uint8(float32(turn) * 255), uint8(span / float32(hi) * 255), hi
}

// fromHSV is the inverse of toHSV up to rounding.
func fromHSV(h, s, v uint8) (r, g, b uint8) {
	if s == 0 {
		return v, v, v
	}
	turn := float32(h) * 6 / 255
	sector := float32(math.Floor(float64(turn)))
	f := float64(turn - sector)
	fs, fv := float64(float32(s)/255), float64(v)
	round := func(x float64) uint8 { return uint8(min(max(math.Round(x), 0), 255)) }
	p := round(fv * (1 - fs))
	q := round(fv * (1 - float64(fs*f)))
	t := round(fv * (1 - float64(fs*(1-f))))
	switch int(sector) % 6 {
	case 0:
		return v, t, p
	case 1:
		return q, v, p
	case 2:
		return p, v, t
	case 3:
		return p, q, v
	case 4:
		return t, p, v
	}
	return v, p, q
}
