package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"path"
	"strings"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"
)

// A codec decodes one image format. Decoders are called directly instead of through package image's registry, which
// any package of the program may change.
type codec struct {
	name   string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

var codecs = map[string]codec{
	"jpeg": {"JPEG", jpeg.DecodeConfig, jpeg.Decode},
	"png":  {"PNG", png.DecodeConfig, png.Decode},
	"gif":  {"GIF", gif.DecodeConfig, gif.Decode}, // the first frame only
	"bmp":  {"BMP", bmp.DecodeConfig, bmp.Decode},
	"webp": {"WebP", webp.DecodeConfig, webp.Decode},
}

// imageType returns the key in codecs that the first bytes of a file stand for, or "".
func imageType(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return "jpeg"
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		return "png"
	case bytes.HasPrefix(head, []byte("GIF87a")), bytes.HasPrefix(head, []byte("GIF89a")):
		return "gif"
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return "webp"
	case len(head) >= 18 && string(head[:2]) == "BM":
		// "BM" alone begins many a text; the size of the second header is one of a few.
		switch binary.LittleEndian.Uint32(head[14:]) {
		case 12, 40, 52, 56, 64, 108, 124:
			return "bmp"
		}
	}
	return ""
}

// imageEnding tells whether a file's name claims that it is an image.
func imageEnding(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp":
		return true
	}
	return false
}

// Decoder decodes image files. Files are told by their content: JPEG, PNG, GIF (the first frame), BMP and WebP.
type Decoder struct {
	MaxPixels int64 // of the largest image; a larger one is an error, and costs no memory
	JPEG      JPEG
}

// Decode decodes the file r into m as RGB, (H, W, 3), turned upright as its EXIF orientation asks.
//
// The result is what PIL's convert("RGB") gives, so that networks trained elsewhere see the same pixels: grey becomes
// three equal channels, transparency is dropped (not blended with a background), chroma is interpolated as libjpeg does.
// The exception is 16-bit grey, where PIL clips and this keeps the upper 8 bits. Colour profiles are not applied.
//
// reduce, which may be nil, says for an upright image of w x h pixels by how much the caller allows both to be divided,
// rounding up: 1, 2, 4 or 8. JPEGDraft makes use of that.
//
// The header is checked before anything is allocated for the pixels. Every error wraps ErrCorrupt.
func (d Decoder) Decode(r []byte, m *Image, reduce func(w, h int) int) error {
	kind := imageType(r)
	c, ok := codecs[kind]
	switch {
	case len(r) == 0:
		return fmt.Errorf("%w: the file is empty", ErrCorrupt)
	case !ok:
		return fmt.Errorf("%w: the content is none of JPEG, PNG, GIF, BMP and WebP", ErrCorrupt)
	}
	cfg, err := guard(c.config, r)
	if err != nil {
		return c.fail("header", err)
	}
	if cfg.Width <= 0 || cfg.Height <= 0 {
		return fmt.Errorf("%w: the %s header says %d x %d pixels", ErrCorrupt, c.name, cfg.Width, cfg.Height)
	}
	if int64(cfg.Width) > d.MaxPixels/int64(cfg.Height) {
		return fmt.Errorf("%w: the %s header says %d x %d pixels, but at most %d are allowed", ErrCorrupt, c.name, cfg.Width, cfg.Height, d.MaxPixels)
	}
	turn := orientation(kind, r)
	if kind == "jpeg" && d.JPEG.turbo(r, cfg, turn, m, reduce) {
		return nil
	}
	src, err := guard(c.decode, r)
	if err != nil {
		return c.fail("image", err)
	}
	if kind == "gif" {
		if src, err = gifCanvas(r, src); err != nil {
			return c.fail("image", err)
		}
	}
	if b := src.Bounds(); b.Dx() != cfg.Width || b.Dy() != cfg.Height {
		return fmt.Errorf("%w: the %s header says %d x %d pixels, but %d x %d follow", ErrCorrupt, c.name, cfg.Width, cfg.Height, b.Dx(), b.Dy())
	}
	p := place(m, cfg.Width, cfg.Height, turn)
	p.draw(m.Pix, src, kind == "webp")
	return nil
}

// guard calls a decoder and makes its panics errors: a long training run must survive a file that trips a bug in code
// that is not ours to fix. Our own code is left outside, so that the fuzz targets find its bugs.
func guard[T any](decode func(io.Reader) (T, error), r []byte) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the decoder panicked: %v", p)
		}
	}()
	return decode(bytes.NewReader(r))
}

// fail says that a decoder returned err at a part of the file.
func (c *codec) fail(part string, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the %s %s is truncated; fetch or copy it again", ErrCorrupt, c.name, part)
	}
	return fmt.Errorf("%w: the %s %s is truncated, damaged or of an unsupported kind (%v)", ErrCorrupt, c.name, part, err)
}
