package graph

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// Window is the geometry that convolution and pooling layers share.
type Window struct {
	Size     [2]int // rows and columns of the window; {3, 0} means 3x3
	Stride   [2]int // {0, 0} means 1 for convolutions and Size for pooling; {2, 0} means 2x2
	Dilation [2]int // {0, 0} means 1
	Pad      Padding
	Ceil     bool // round the output size up, as Caffe and PyTorch's ceil_mode do
}

// Padding says how far the image is extended with zeros. The zero Padding is none ("valid").
type Padding struct {
	mode                     padMode
	Top, Left, Bottom, Right int
}

type padMode uint8

const (
	padExplicit padMode = iota
	padSame
	padFull
)

// Pad extends every side by n pixels.
func Pad(n int) Padding { return Padding{Top: n, Left: n, Bottom: n, Right: n} }

// PadSides extends each side by its own number of pixels.
func PadSides(top, left, bottom, right int) Padding {
	return Padding{Top: top, Left: left, Bottom: bottom, Right: right}
}

// Valid is no padding: the window stays inside the image.
func Valid() Padding { return Padding{} }

// Same makes the output ceil(n/stride) pixels wide; where the padding is odd, the extra pixel goes to the bottom and the right, as in
// TensorFlow.
func Same() Padding { return Padding{mode: padSame} }

// Full pads by the window's extent less one, so that every overlap of window and image counts.
func Full() Padding { return Padding{mode: padFull} }

func (p Padding) String() string {
	switch {
	case p.mode == padSame:
		return "same"
	case p.mode == padFull:
		return "full"
	case p.Top == p.Left && p.Left == p.Bottom && p.Bottom == p.Right:
		return fmt.Sprint(p.Top)
	}
	return fmt.Sprintf("%d,%d,%d,%d", p.Top, p.Left, p.Bottom, p.Right)
}

// square replaces the second of two equal values that was left out.
func square(v [2]int) [2]int {
	if v[1] == 0 {
		v[1] = v[0]
	}
	return v
}

// resolve fills in the defaults.
func (w Window) resolve(stride [2]int) Window {
	w.Size = square(w.Size)
	if w.Stride == [2]int{} {
		w.Stride = stride
	}
	w.Stride = square(w.Stride)
	if w.Dilation == [2]int{} {
		w.Dilation = [2]int{1, 1}
	}
	w.Dilation = square(w.Dilation)
	return w
}

// describe writes the window as in "3x3 /2 pad 1": what a reader could not guess.
func (w Window) describe(stride [2]int) string {
	w = w.resolve(stride)
	s := fmt.Sprintf("%dx%d", w.Size[0], w.Size[1])
	if w.Stride[0] != w.Stride[1] {
		s += fmt.Sprintf(" /%dx%d", w.Stride[0], w.Stride[1])
	} else if w.Stride != [2]int{1, 1} {
		s += fmt.Sprintf(" /%d", w.Stride[0])
	}
	if w.Dilation != [2]int{1, 1} {
		s += fmt.Sprintf(" dilation %dx%d", w.Dilation[0], w.Dilation[1])
	}
	if w.Pad != (Padding{}) {
		s += fmt.Sprintf(" pad %v", w.Pad)
	}
	if w.Ceil {
		s += " ceil"
	}
	return s
}

// place lays the resolved window over an image of shape in.
func (w Window) place(in Shape) (device.Window, Padding, error) {
	var d device.Window
	if in.Flat {
		return d, Padding{}, fmt.Errorf("%w: wanted an image, got a vector of %d features", ErrShape, in.Size())
	}
	for i := range 2 {
		if w.Size[i] < 1 || w.Stride[i] < 1 || w.Dilation[i] < 1 {
			return d, Padding{}, fmt.Errorf("%w: window %v, stride %v, dilation %v, wanted positive sizes", ErrShape, w.Size, w.Stride, w.Dilation)
		}
	}
	p := w.Pad
	if p.Top < 0 || p.Left < 0 || p.Bottom < 0 || p.Right < 0 {
		return d, p, fmt.Errorf("%w: padding %v, wanted no negative value", ErrShape, p)
	}
	var rows, cols int
	rows, p.Top, p.Bottom = w.axis(0, in.H, p.Top, p.Bottom)
	cols, p.Left, p.Right = w.axis(1, in.W, p.Left, p.Right)
	if rows < 1 || cols < 1 {
		least := func(i, padding int) int {
			n := w.Dilation[i]*(w.Size[i]-1) + 1 - padding
			if w.Ceil {
				n -= w.Stride[i] - 1
			}
			return max(1, n)
		}
		return d, p, fmt.Errorf("%w: the image is %dx%d, a window of %dx%d with padding %v needs at least %dx%d", ErrShape, in.H, in.W,
			w.Size[0], w.Size[1], w.Pad, least(0, p.Top+p.Bottom), least(1, p.Left+p.Right))
	}
	return device.Window{H: in.H, W: in.W, C: in.C, P: rows, Q: cols, R: w.Size[0], S: w.Size[1], StrideH: w.Stride[0], StrideW: w.Stride[1],
		DilH: w.Dilation[0], DilW: w.Dilation[1], PadTop: p.Top, PadLeft: p.Left}, p, nil
}

// axis returns the number of outputs and the padding along one axis of n pixels.
func (w Window) axis(i, n, before, after int) (out, padBefore, padAfter int) {
	s := w.Stride[i]
	extent := w.Dilation[i]*(w.Size[i]-1) + 1
	switch w.Pad.mode {
	case padSame:
		total := max(((n+s-1)/s-1)*s+extent-n, 0)
		before, after = total/2, total-total/2
	case padFull:
		before, after = extent-1, extent-1
	}
	room := n + before + after - extent
	if w.Ceil {
		room += s - 1 // the last window may reach beyond the padding
	}
	if room < 0 {
		return 0, before, after
	}
	out = room/s + 1
	if w.Ceil && (out-1)*s >= n+before {
		out-- // as in PyTorch, it must begin inside the image or the padding before it
	}
	return out, before, after
}
