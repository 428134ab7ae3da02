package data

import "image"

// Chroma is stored at half the resolution in most JPEG and WebP files. Repeating each value, as package image does,
// gives blocks at edges; libjpeg, and therefore PIL and the networks trained with it, interpolates with a triangle
// filter ("fancy upsampling"), 3/4 of the nearer value and 1/4 of the farther one in each subsampled direction. Its
// rounding alternates between neighbours so that no bias arises, and is kept here.

// drawYCbCr converts a YCbCr image of JPEG's range (JFIF: all of 0..255), or of the range of video that WebP uses
// (ITU-R BT.601: luma in 16..235, chroma in 16..240).
func (p placement) drawYCbCr(dst []uint8, src *image.YCbCr, video bool) {
	b := src.Rect
	var cb, cr chroma
	cb.init(src, src.Cb, p.w)
	cr.init(src, src.Cr, p.w)
	for y := range p.h {
		luma := src.Y[src.YOffset(b.Min.X, b.Min.Y+y):]
		luma = luma[:p.w]
		cbs, crs := cb.row(y), cr.row(y)
		if video {
			p.videoRow(dst[:], y, luma, cbs, crs)
		} else {
			p.jfifRow(dst[:], y, luma, cbs, crs)
		}
	}
}

// jfifRow converts one row with JFIF's coefficients 1.402, 0.344136, 0.714136 and 1.772 in 16-bit fixed point, rounded
// as libjpeg rounds.
func (p placement) jfifRow(dst []uint8, y int, luma, cbs, crs []uint8) {
	o := p.origin + y*p.dy
	cbs, crs = cbs[:len(luma)], crs[:len(luma)]
	for x, l := range luma {
		v, cb, cr := int32(l), int32(cbs[x])-128, int32(crs[x])-128
		d := dst[o : o+3 : o+3]
		d[0] = clamp(v + (91881*cr+1<<15)>>16)
		d[1] = clamp(v + (-22554*cb-46802*cr+1<<15)>>16)
		d[2] = clamp(v + (116130*cb+1<<15)>>16)
		o += p.dx
	}
}

// videoRow does the same with BT.601's 255/219 for luma and 1.596, 0.392, 0.813 and 2.017 for chroma.
func (p placement) videoRow(dst []uint8, y int, luma, cbs, crs []uint8) {
	o := p.origin + y*p.dy
	cbs, crs = cbs[:len(luma)], crs[:len(luma)]
	for x, l := range luma {
		v, cb, cr := 76309*(int32(l)-16)+1<<15, int32(cbs[x])-128, int32(crs[x])-128
		d := dst[o : o+3 : o+3]
		d[0] = clamp((v + 104597*cr) >> 16)
		d[1] = clamp((v - 25675*cb - 53279*cr) >> 16)
		d[2] = clamp((v + 132201*cb) >> 16)
		o += p.dx
	}
}

func clamp(v int32) uint8 {
	if uint32(v) <= 255 {
		return uint8(v)
	}
	return uint8(^(v >> 31)) // 0 below, 255 above
}

// chroma delivers the rows of one chroma plane at the resolution of luma.
type chroma struct {
	src   *image.YCbCr
	plane []uint8
	n     int // stored values per row
	out   []uint8
	sums  []int32 // one row, interpolated vertically, times 4
}

func (c *chroma) init(src *image.YCbCr, plane []uint8, w int) {
	c.src, c.plane, c.n = src, plane, w
	switch src.SubsampleRatio {
	case image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio440:
	case image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410:
		c.n = (w + 3) / 4
	default:
		c.n = (w + 1) / 2
	}
	c.out = make([]uint8, 2*c.n+w) // the doubling filters write pairs
	c.sums = make([]int32, c.n)
}

// stored returns the plane's row for row y of luma.
func (c *chroma) stored(y int) []uint8 {
	b := c.src.Rect
	o := c.src.COffset(b.Min.X, b.Min.Y+y)
	return c.plane[o : o+c.n]
}

// row returns the values for row y of luma, valid until the next call.
func (c *chroma) row(y int) []uint8 {
	near := c.stored(y)
	switch c.src.SubsampleRatio {
	case image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio440:
		return near
	case image.YCbCrSubsampleRatio422:
		if c.n > 2 { // libjpeg's condition
			return c.double422(near)
		}
	case image.YCbCrSubsampleRatio420:
		if c.n > 2 {
			return c.double420(y, near)
		}
	}
	step := 2
	if c.src.SubsampleRatio == image.YCbCrSubsampleRatio411 || c.src.SubsampleRatio == image.YCbCrSubsampleRatio410 {
		step = 4
	}
	for x := range c.src.Rect.Dx() {
		c.out[x] = near[x/step]
	}
	return c.out
}

// double422 interpolates horizontally.
func (c *chroma) double422(in []uint8) []uint8 {
	last := len(in) - 1
	for i, v := range in {
		mid := 3 * int32(v)
		c.out[2*i] = uint8((mid + int32(in[max(i-1, 0)]) + 1) >> 2)
		c.out[2*i+1] = uint8((mid + int32(in[min(i+1, last)]) + 2) >> 2)
	}
	return c.out
}

// double420 interpolates vertically between the rows at and next to y, then horizontally.
func (c *chroma) double420(y int, near []uint8) []uint8 {
	other := y - 1 // an even row lies above the centre of its chroma row
	if y%2 == 1 {
		other = y + 1
	}
	far := c.stored(min(max(other, 0), c.src.Rect.Dy()-1))
	sums := c.sums
	for i, v := range near {
		sums[i] = 3*int32(v) + int32(far[i])
	}
	last := len(sums) - 1
	for i, s := range sums {
		c.out[2*i] = uint8((3*s + sums[max(i-1, 0)] + 8) >> 4)
		c.out[2*i+1] = uint8((3*s + sums[min(i+1, last)] + 7) >> 4)
	}
	return c.out
}
