package augment

import (
	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/philox"
)

// Grayscale turns colour into grey with the luma weights of ITU-R BT.601 (0.299, 0.587, 0.114).
type Grayscale struct{}

func (Grayscale) String() string { return "Grayscale" }

// Apply implements Transform.
func (Grayscale) Apply(_ *philox.Stream, w *Work) error {
	src := w.Image()
	if src.C == 1 {
		return nil
	}
	dst := w.Spare(src.W, src.H, 1)
	dst.Draft = src.Draft
	p := src.Pix
	for i := range dst.Pix {
		dst.Pix[i] = luma(p[3*i], p[3*i+1], p[3*i+2])
	}
	w.Swap()
	return nil
}

// luma is BT.601's Y' in 16-bit fixed point, rounded: PIL's mode "L".
func luma(r, g, b uint8) uint8 {
	const one = 1 << 16
	const wr, wb = (299*one + 500) / 1000, (114*one + 500) / 1000
	return uint8((wr*uint32(r) + (one-wr-wb)*uint32(g) + wb*uint32(b) + one/2) >> 16)
}

// ToRGB repeats a grey image's channel three times.
type ToRGB struct{}

func (ToRGB) String() string { return "ToRGB" }

// Apply implements Transform.
func (ToRGB) Apply(_ *philox.Stream, w *Work) error {
	src := w.Image()
	if src.C == 3 {
		return nil
	}
	dst := w.Spare(src.W, src.H, 3)
	dst.Draft = src.Draft
	p := dst.Pix
	for _, v := range src.Pix {
		p[0], p[1], p[2] = v, v, v
		p = p[3:]
	}
	w.Swap()
	return nil
}

// adapt returns the transform that gives images the wanted number of channels.
func adapt(channels int) Transform {
	if channels == 1 {
		return Grayscale{}
	}
	return ToRGB{}
}

// lookup replaces every byte of the image through a table.
func lookup(m *data.Image, table *[256]uint8) {
	for i, v := range m.Pix {
		m.Pix[i] = table[v]
	}
}
