package data

import (
	"image"
	"image/color"
)

// draw writes src as RGB to dst. There is a loop for each type that the decoders return, since going through
// image.Image costs two interface calls and a conversion to 16 bits per pixel. video tells that a YCbCr image has the
// range of video rather than JPEG's.
func (p placement) draw(dst []uint8, src image.Image, video bool) {
	switch s := src.(type) {
	case *image.YCbCr:
		p.drawYCbCr(dst, s, video)
	case *image.NYCbCrA:
		p.drawYCbCr(dst, &s.YCbCr, video)
	case *image.Gray:
		p.drawGray(dst, s.Pix, s.Stride, 1)
	case *image.Gray16:
		p.drawGray(dst, s.Pix, s.Stride, 2) // big-endian: the upper 8 bits come first
	case *image.RGBA: // decoders return it for opaque images only, so that nothing is premultiplied
		p.drawRGB(dst, s.Pix, s.Stride, 4, 1)
	case *image.NRGBA:
		p.drawRGB(dst, s.Pix, s.Stride, 4, 1)
	case *image.RGBA64:
		p.drawRGB(dst, s.Pix, s.Stride, 8, 2)
	case *image.NRGBA64:
		p.drawRGB(dst, s.Pix, s.Stride, 8, 2)
	case *image.Paletted:
		p.drawPaletted(dst, s)
	case *image.CMYK:
		p.drawCMYK(dst, s)
	default:
		p.drawAny(dst, src)
	}
}

// drawGray copies grey pixels of step bytes each, of which the first counts, to all channels.
func (p placement) drawGray(dst, pix []uint8, stride, step int) {
	for y := range p.h {
		row, o := pix[y*stride:], p.origin+y*p.dy
		for x := range p.w {
			v := row[x*step]
			d := dst[o : o+3 : o+3]
			d[0], d[1], d[2] = v, v, v
			o += p.dx
		}
	}
}

// drawRGB copies pixels of step bytes, whose channels are size bytes each, of which the first counts.
func (p placement) drawRGB(dst, pix []uint8, stride, step, size int) {
	for y := range p.h {
		row, o := pix[y*stride:], p.origin+y*p.dy
		for x := range p.w {
			s := row[x*step:]
			d := dst[o : o+3 : o+3]
			d[0], d[1], d[2] = s[0], s[size], s[2*size]
			o += p.dx
		}
	}
}

func (p placement) drawPaletted(dst []uint8, src *image.Paletted) {
	var table [256][3]uint8 // an index beyond the palette is black
	for i, c := range src.Palette[:min(len(src.Palette), 256)] {
		table[i] = opaque(c)
	}
	for y := range p.h {
		row, o := src.Pix[y*src.Stride:], p.origin+y*p.dy
		for x := range p.w {
			copy(dst[o:o+3], table[row[x]][:])
			o += p.dx
		}
	}
}

// opaque returns a colour without its transparency.
func opaque(c color.Color) [3]uint8 {
	n, ok := c.(color.NRGBA) // the usual case, and exact even where alpha is 0
	if !ok {
		n = color.NRGBAModel.Convert(c).(color.NRGBA)
	}
	return [3]uint8{n.R, n.G, n.B}
}

// drawCMYK computes (1-C)(1-K) and so on, which ignores the inks' real colours as PIL does.
func (p placement) drawCMYK(dst []uint8, src *image.CMYK) {
	for y := range p.h {
		row, o := src.Pix[y*src.Stride:], p.origin+y*p.dy
		for x := range p.w {
			s := row[4*x : 4*x+4 : 4*x+4]
			white := 255 - uint32(s[3])
			d := dst[o : o+3 : o+3]
			for ch := range d {
				d[ch] = uint8(((255-uint32(s[ch]))*white + 127) / 255)
			}
			o += p.dx
		}
	}
}

// drawAny is for types that no decoder here returns today.
func (p placement) drawAny(dst []uint8, src image.Image) {
	b := src.Bounds()
	for y := range p.h {
		o := p.origin + y*p.dy
		for x := range p.w {
			c := opaque(src.At(b.Min.X+x, b.Min.Y+y))
			copy(dst[o:o+3], c[:])
			o += p.dx
		}
	}
}
