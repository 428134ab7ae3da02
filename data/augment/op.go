package augment

import (
	"fmt"
	"image"
)

// op is one of the operations that RandAugment and TrivialAugment choose from.
type op uint8

const (
	opIdentity op = iota
	opAutoContrast
	opEqualize
	opInvert
	opRotate      // degrees, counter-clockwise
	opPosterize   // bits to keep
	opSolarize    // threshold
	opSolarizeAdd // grey levels
	opColor       // this and the next three: factor of a blend, 1 changes nothing
	opContrast
	opBrightness
	opSharpness
	opShearX     // pixels to the side for each pixel down
	opShearY     // and the other way round
	opTranslateX // pixels to the left
	opTranslateY // pixels upwards
)

var opNames = [...]string{"Identity", "AutoContrast", "Equalize", "Invert", "Rotate", "Posterize", "Solarize", "SolarizeAdd", "Color", "Contrast",
	"Brightness", "Sharpness", "ShearX", "ShearY", "TranslateX", "TranslateY"}

func (o op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return fmt.Sprintf("op(%d)", uint8(o))
}

// apply changes the current image. arg has the unit that the list of operations states; ip and fill serve those that move pixels. Shears
// leave the top left corner where it is. The results equal PIL's.
func (o op) apply(w *Work, arg float64, ip Interpolation, fill [3]uint8) {
	m := w.Image()
	switch o {
	case opAutoContrast:
		autocontrast(m)
	case opEqualize:
		equalize(m)
	case opInvert:
		invert(m)
	case opRotate:
		w.warp(rotation(image.Pt(m.W, m.H), arg), ip, fill)
	case opPosterize:
		posterize(m, int(arg))
	case opSolarize:
		solarize(m, arg)
	case opSolarizeAdd:
		solarizeAdd(m, int(arg))
	case opColor:
		adjustSaturation(m, arg)
	case opContrast:
		adjustContrast(m, arg)
	case opBrightness:
		adjustBrightness(m, arg)
	case opSharpness:
		w.adjustSharpness(arg)
	case opShearX:
		w.warp(affine{a: 1, b: arg, e: 1}, ip, fill)
	case opShearY:
		w.warp(affine{a: 1, d: arg, e: 1}, ip, fill)
	case opTranslateX:
		w.warp(affine{a: 1, c: arg, e: 1}, ip, fill)
	case opTranslateY:
		w.warp(affine{a: 1, e: 1, f: arg}, ip, fill)
	}
}
