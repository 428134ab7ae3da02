// Package augment turns 8-bit images into the float32 tensors that a network reads: resizing and cropping, the random
// distortions of training, and normalisation.
//
// The transforms carry torchvision's names and reproduce what torchvision computes on PIL images, so that a checkpoint
// trained elsewhere sees the pixels it was trained on. Resampling, colour adjustment and normalisation agree with
// PIL's 8-bit arithmetic byte for byte; testdata/ holds the reference values.
//
// Everything random about a sample is drawn from one stream, philox.MakeStream(seed, philox.Augment, epoch, sample):
// the result does not depend on which worker prepares the sample, or after which other sample.
package augment

import (
	"errors"
	"fmt"
	"image"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/philox"
)

// ErrConfig marks a pipeline, or a stored description of one, that cannot work whatever the image: a negative size, a
// standard deviation of zero. Wrapped errors name the field.
var ErrConfig = errors.New("invalid preprocessing")

// ErrSize marks an image whose size does not suit a pipeline.
var ErrSize = errors.New("unsuitable image size")

// Transform changes the image of a Work. One Transform serves all workers at once, so Apply keeps what it needs in w
// and r and nothing in its receiver. A transform without random choices leaves r alone, which may then be nil.
type Transform interface {
	// String names the transform and its parameters as torchvision's repr does, e.g. "CenterCrop(224, 224)".
	String() string
	Apply(r *philox.Stream, w *Work) error
}

// Work is the memory of one worker: two images, of which one is current and the other is where the next transform
// writes, and the tables of the resampler. Buffers grow to the largest image seen and are then reused, so a steady
// state allocates nothing. The zero Work is ready; it must not be copied after first use nor shared.
type Work struct {
	buf  [2]data.Image
	cur  int
	rows []uint8 // between the two passes of a resize, (rows, W, C)
	sum  []int32 // one row of fixed-point sums, (W, C)
	hor  weights
	ver  weights
}

// Image returns the current image. Before a pipeline runs, the sample is decoded into it.
func (w *Work) Image() *data.Image { return &w.buf[w.cur] }

// Spare returns the other image, sized width x height with c channels and undefined contents.
func (w *Work) Spare(width, height, c int) *data.Image {
	m := &w.buf[1-w.cur]
	m.Reset(width, height, c)
	return m
}

// Swap makes the spare image current.
func (w *Work) Swap() { w.cur = 1 - w.cur }

// check reports an image whose fields contradict each other, which a faulty reader could hand over.
func check(m *data.Image) error {
	if m.W <= 0 || m.H <= 0 || (m.C != 1 && m.C != 3) || len(m.Pix) != m.W*m.H*m.C {
		return fmt.Errorf("%w: want width and height above 0, 1 or 3 channels and width*height*channels bytes, got %dx%dx%d with %d bytes",
			ErrSize, m.W, m.H, m.C, len(m.Pix))
	}
	return nil
}

// bounds returns the image's rectangle with its origin at (0, 0).
func bounds(m *data.Image) image.Rectangle { return image.Rect(0, 0, m.W, m.H) }

// wholeBounds returns the rectangle of the picture that m is a draft of, or its own.
func wholeBounds(m *data.Image) image.Rectangle {
	d := m.Whole()
	return image.Rect(0, 0, d.W, d.H)
}

// place copies the part of src that r covers into dst, which has r's size, and fills with zero (black) where r reaches
// beyond src: cropping and padding in one.
func place(dst, src *data.Image, r image.Rectangle) {
	in := r.Intersect(bounds(src))
	if in != r {
		clear(dst.Pix)
	}
	n := in.Dx() * src.C
	for y := in.Min.Y; y < in.Max.Y; y++ {
		s := (y*src.W + in.Min.X) * src.C
		d := ((y-r.Min.Y)*dst.W + in.Min.X - r.Min.X) * src.C
		copy(dst.Pix[d:d+n], src.Pix[s:s+n])
	}
}

// crop replaces the current image by its part under r, padded with zeros where r reaches beyond it.
func (w *Work) crop(r image.Rectangle) {
	src := w.Image()
	if r == bounds(src) {
		return
	}
	place(w.Spare(r.Dx(), r.Dy(), src.C), src, r)
	w.Swap()
}
