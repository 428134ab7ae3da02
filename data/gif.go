package data

import (
	"encoding/binary"
	"image"
	"image/color"
	"io"
)

// gifCanvas puts the first frame of a GIF, as package gif decoded it, on the picture's canvas: a frame may be smaller.
// It also restores the palette, in which package gif blackens the transparent colour, so that dropping transparency
// shows the colour that is in the file. The format is that of CompuServe, "Graphics Interchange Format, Version 89a".
func gifCanvas(b []byte, frame image.Image) (image.Image, error) {
	src, ok := frame.(*image.Paletted)
	if !ok {
		return frame, nil
	}
	w, h, background, palette, err := gifHeader(b)
	if err != nil {
		return nil, err
	}
	canvas := src
	if full := image.Rect(0, 0, w, h); src.Rect != full {
		canvas = image.NewPaletted(full, nil)
		for i := range canvas.Pix {
			canvas.Pix[i] = background
		}
		r := src.Rect.Intersect(full)
		for y := r.Min.Y; y < r.Max.Y; y++ {
			copy(canvas.Pix[canvas.PixOffset(r.Min.X, y):][:r.Dx()], src.Pix[src.PixOffset(r.Min.X, y):])
		}
	}
	canvas.Palette = palette
	return canvas, nil
}

// gifHeader returns the canvas, the index of the background colour and the palette of the first frame.
func gifHeader(b []byte) (w, h int, background uint8, palette color.Palette, err error) {
	const screen, imageSeparator, extension = 13, 0x2c, 0x21
	if len(b) < screen {
		return 0, 0, 0, nil, io.ErrUnexpectedEOF
	}
	w, h = int(binary.LittleEndian.Uint16(b[6:])), int(binary.LittleEndian.Uint16(b[8:]))
	background = b[11]
	flags, rest := b[10], b[screen:]
	if palette, rest, err = gifPalette(flags, rest); err != nil {
		return 0, 0, 0, nil, err
	}
	for len(rest) > 0 && rest[0] == extension {
		// An extension is an introducer, a label and blocks that are led by their sizes, the last of which is 0.
		i := 2
		for i < len(rest) && rest[i] != 0 {
			i += 1 + int(rest[i])
		}
		if i >= len(rest) {
			return 0, 0, 0, nil, io.ErrUnexpectedEOF
		}
		rest = rest[i+1:]
	}
	if len(rest) < 10 || rest[0] != imageSeparator {
		return 0, 0, 0, nil, io.ErrUnexpectedEOF
	}
	local, _, err := gifPalette(rest[9], rest[10:])
	if local != nil {
		palette = local
	}
	return w, h, background, palette, err
}

// gifPalette reads the colour table that flags announce, or none, and returns what follows it.
func gifPalette(flags uint8, b []byte) (color.Palette, []byte, error) {
	if flags&0x80 == 0 {
		return nil, b, nil
	}
	n := 2 << (flags & 7)
	if len(b) < 3*n {
		return nil, nil, io.ErrUnexpectedEOF
	}
	p := make(color.Palette, n)
	for i := range p {
		p[i] = color.NRGBA{b[3*i], b[3*i+1], b[3*i+2], 255}
	}
	return p, b[3*n:], nil
}
