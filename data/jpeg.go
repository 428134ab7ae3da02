package data

import (
	"fmt"
	"image"
	"image/color"
	"sync"

	"github.com/cnnctl/cnnctl/data/turbojpeg"
)

// JPEG says what decodes JPEG files. The empty value means JPEGGo.
//
// libjpeg-turbo is what PIL, torchvision and OpenCV decode with, and several times as fast as Go's decoder. Both compute the same picture, but round
// the inverse DCT in different places: a channel differs by three levels at most. Chroma that is halved in height alone, which is rare, libjpeg-turbo interpolates
// and drawYCbCr repeats.
type JPEG string

// The decoders.
const (
	JPEGAuto  JPEG = "auto"  // JPEGTurbo where the library is, else JPEGGo
	JPEGGo    JPEG = "go"    // package image/jpeg
	JPEGTurbo JPEG = "turbo" // libjpeg-turbo, at full size
	// JPEGDraft is libjpeg-turbo at 1/2, 1/4 or 1/8 of the size, where the caller is going to make the image smaller still. Only a share of each
	// block's inverse DCT is then computed, as by PIL's draft mode.
	JPEGDraft JPEG = "draft"
)

// JPEGs lists the values of JPEG.
var JPEGs = []JPEG{JPEGAuto, JPEGGo, JPEGTurbo, JPEGDraft}

// Decide returns what decodes on this machine: JPEGGo in place of a library that is not there, and never JPEGAuto.
func (j JPEG) Decide() JPEG {
	switch {
	case j == "" || j == JPEGGo || turbojpeg.Load() != nil:
		return JPEGGo
	case j == JPEGAuto:
		return JPEGTurbo
	}
	return j
}

// notes tells the user if libjpeg-turbo was asked for, as in the run that is continued, and is not there.
func (j JPEG) notes() []string {
	if j == JPEGTurbo || j == JPEGDraft {
		if err := turbojpeg.Load(); err != nil {
			return []string{fmt.Sprintf("--jpeg %s: Go's decoder takes the place of libjpeg-turbo, and its pixels differ slightly: %v", j, err)}
		}
	}
	return nil
}

// turned recycles the memory of pictures that are decoded before they are turned upright.
var turned = sync.Pool{New: func() any { return new([]byte) }}

// turbo decodes a file with libjpeg-turbo, if j asks for that. It returns false where there is no library, for CMYK, which libjpeg leaves to its callers to
// convert, and for everything that the library refuses or warns of: Go's decoder then decides. So a damaged file is the same error with and without
// the library.
func (j JPEG) turbo(r []byte, cfg image.Config, turn int, m *Image, reduce func(w, h int) int) bool {
	if j = j.Decide(); j == JPEGGo || cfg.ColorModel == color.CMYKModel {
		return false
	}
	reduction := 1
	if j == JPEGDraft && reduce != nil {
		reduction = reduce(upright(cfg.Width, cfg.Height, turn))
		for turn != 1 && reduction > 1 && (cfg.Width%reduction != 0 || cfg.Height%reduction != 0) {
			reduction /= 2 // or the incomplete pixels of the last column and row would become the first
		}
	}
	w, h := turbojpeg.Reduced(cfg.Width, reduction), turbojpeg.Reduced(cfg.Height, reduction)
	p := place(m, w, h, turn)
	if reduction > 1 {
		m.Draft.W, m.Draft.H = upright(cfg.Width, cfg.Height, turn)
		m.Draft.N = reduction
	}
	if turn == 1 {
		return turbojpeg.Decode(m.Pix, r, cfg.Width, cfg.Height, reduction)
	}
	buf := turned.Get().(*[]byte)
	defer turned.Put(buf)
	if pix := grow(buf, int64(len(m.Pix))); turbojpeg.Decode(pix, r, cfg.Width, cfg.Height, reduction) {
		p.drawRGB(m.Pix, pix, 3*w, 3, 1)
		return true
	}
	return false
}
