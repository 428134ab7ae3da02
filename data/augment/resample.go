package augment

import (
	"fmt"
	"image"
	"math"

	"github.com/cnnctl/cnnctl/data"
)

// Interpolation names a resampling filter. The empty string means Bilinear.
type Interpolation string

// The filters, named as in torchvision's InterpolationMode.
const (
	Nearest  Interpolation = "nearest"
	Bilinear Interpolation = "bilinear"
	Bicubic  Interpolation = "bicubic"
)

func (ip Interpolation) orDefault() Interpolation {
	if ip == "" {
		return Bilinear
	}
	return ip
}

func (ip Interpolation) validate() error {
	switch ip.orDefault() {
	case Nearest, Bilinear, Bicubic:
		return nil
	}
	return fmt.Errorf("%w: interpolation %q is unknown; use nearest, bilinear or bicubic", ErrConfig, string(ip))
}

// kernel returns the filter's reach and its value at a distance x from the centre, both in pixels of the coarser grid.
func (ip Interpolation) kernel() (reach float64, f func(x float64) float64) {
	if ip == Bicubic {
		return 2, cubic
	}
	return 1, triangle
}

func triangle(x float64) float64 { return max(0, 1-math.Abs(x)) }

// cubic is the interpolation kernel of Keys, "Cubic convolution interpolation for digital image processing" (1981),
// with a = -1/2, the value at which it reproduces quadratics; PIL uses the same.
func cubic(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}

// Weights are fixed-point numbers with precision fraction bits: 8 bits remain for the pixel and 2 for sign and
// overshoot in an int32. PIL's choice, and the reason why results agree with it exactly.
const (
	precision = 32 - 8 - 2
	oneHalf   = 1 << (precision - 1)
)

// weights is one dimension of a separable resize: output i is the sum of coef[i*taps+j] * input[first[i]+j] over
// j < count[i].
type weights struct {
	taps         int
	first, count []int
	coef         []int32
	exact        []float64 // one output's weights before rounding
}

// A span is a part of a row or a column: size pixels from at on, counted from pixel first, which lie in the n pixels from there on. In a whole picture
// parts consist of pixels; in a draft they end between them.
type span struct {
	first, n int
	at, size float64
}

// newSpan returns where pixels lo..hi-1 of a whole picture lie when each pixel stands for reduction of them.
func newSpan(lo, hi, reduction int) span {
	begin, end := float64(lo)/float64(reduction), float64(hi)/float64(reduction)
	first := int(begin)
	return span{first: first, n: int(math.Ceil(end)) - first, at: begin - float64(first), size: end - begin}
}

// becomes tells whether the span consists of just n pixels.
func (s span) becomes(n int) bool { return s.at == 0 && s.size == float64(n) }

// build computes the weights of outputs lo..hi-1 when a span becomes out pixels. For a reduction the filter widens
// with the scale (antialiasing): each input pixel then counts about equally, where a filter of fixed width would skip
// most of them.
func (t *weights) build(s span, out, lo, hi int, ip Interpolation) {
	reach, f := ip.kernel()
	scale := s.size / float64(out)
	wide := max(scale, 1)
	reach *= wide
	t.taps = 2*int(math.Ceil(reach)) + 1
	t.first = grow(t.first, hi-lo)
	t.count = grow(t.count, hi-lo)
	t.coef = grow(t.coef, (hi-lo)*t.taps)
	t.exact = grow(t.exact, t.taps)
	for i := range hi - lo {
		centre := s.at + (float64(lo+i)+0.5)*scale
		first := max(0, int(centre-reach+0.5))
		n := min(s.n, int(centre+reach+0.5)) - first
		total := 0.0
		for j := range n {
			t.exact[j] = f((float64(first+j) - centre + 0.5) / wide)
			total += t.exact[j]
		}
		coef := t.coef[i*t.taps : (i+1)*t.taps]
		for j := range n {
			coef[j] = int32(math.Round(t.exact[j] / total * (1 << precision)))
		}
		t.first[i], t.count[i] = first, n
	}
}

// grow returns s with length n, reusing its memory where that suffices. The contents are undefined.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// clip8 rounds a fixed-point sum, to which oneHalf was added before, to a pixel.
func clip8(s int32) uint8 { return uint8(min(max(s>>precision, 0), 255)) }

// resize replaces the current image by a part of a resized part of it: part, in pixels of the whole picture if the image is a draft, is cut out and resized
// to full, and of the result only the pixels under win are computed. Pixels outside of part have no influence, as if it had been cropped
// first. Cost and memory follow from win, however large full is: a 1x30000 image whose short side becomes 256 would
// otherwise need gigabytes on the way to its centre crop.
func (w *Work) resize(part image.Rectangle, full image.Point, win image.Rectangle, ip Interpolation) {
	src := w.Image()
	reduction := src.Whole().N
	x, y := newSpan(part.Min.X, part.Max.X, reduction), newSpan(part.Min.Y, part.Max.Y, reduction)
	box := image.Rect(x.first, y.first, x.first+x.n, y.first+y.n)
	scaleX, scaleY := !x.becomes(full.X), !y.becomes(full.Y)
	if !scaleX && !scaleY {
		w.crop(win.Add(box.Min)) // callers keep win inside full
		return
	}
	dst := w.Spare(win.Dx(), win.Dy(), src.C)
	defer w.Swap()
	if ip == Nearest {
		nearest(dst, src, box, full, win)
		return
	}

	// Rows first, as PIL does: the order matters for the last bit, because the pixels between are 8-bit.
	stride := src.W * src.C
	from, pitch := src.Pix[box.Min.Y*stride:], stride
	left := (box.Min.X + win.Min.X) * src.C // of the vertical pass's input rows
	width := win.Dx() * src.C
	top, rows := win.Min.Y, win.Dy()
	if scaleY {
		w.ver.build(y, full.Y, win.Min.Y, win.Max.Y, ip)
		last := rows - 1
		top = w.ver.first[0]
		rows = w.ver.first[last] + w.ver.count[last] - top
	}
	if scaleX {
		w.hor.build(x, full.X, win.Min.X, win.Max.X, ip)
		out := dst.Pix
		if scaleY {
			w.rows = grow(w.rows, rows*width)
			out = w.rows
		}
		horizontal(out, from[top*stride+box.Min.X*src.C:], rows, stride, src.C, &w.hor)
		if !scaleY {
			return
		}
		from, pitch, left = w.rows, width, 0
	} else {
		from = from[top*stride:]
	}
	w.sum = grow(w.sum, width)
	vertical(dst.Pix, from[left:], top, pitch, w.sum, &w.ver)
}

// horizontal resizes rows rows of c channels, stride bytes apart in src, into the packed rows of dst.
func horizontal(dst, src []uint8, rows, stride, c int, t *weights) {
	width := len(t.first)
	for y := range rows {
		in := src[y*stride:]
		out := dst[y*width*c : (y+1)*width*c]
		for x, first := range t.first {
			coef := t.coef[x*t.taps:][:t.count[x]]
			p := in[first*c:]
			if c == 1 {
				s := int32(oneHalf)
				for j, k := range coef {
					s += k * int32(p[j])
				}
				out[x] = clip8(s)
				continue
			}
			r, g, b := int32(oneHalf), int32(oneHalf), int32(oneHalf)
			p = p[:3*len(coef)]
			for _, k := range coef {
				r += k * int32(p[0])
				g += k * int32(p[1])
				b += k * int32(p[2])
				p = p[3:]
			}
			out[3*x], out[3*x+1], out[3*x+2] = clip8(r), clip8(g), clip8(b)
		}
	}
}

// vertical resizes columns: the rows of src are stride bytes apart and begin with the input's row top, those of dst are
// packed and len(sum) bytes long. Whole rows are added up at a time, which reads memory in order.
func vertical(dst, src []uint8, top, stride int, sum []int32, t *weights) {
	width := len(sum)
	for y, first := range t.first {
		for i := range sum {
			sum[i] = oneHalf
		}
		for j, k := range t.coef[y*t.taps:][:t.count[y]] {
			in := src[(first-top+j)*stride:][:width]
			for i, v := range in {
				sum[i] += k * int32(v)
			}
		}
		out := dst[y*width:][:width]
		for i, s := range sum {
			out[i] = clip8(s)
		}
	}
}

// nearest picks for each output pixel the input pixel under its centre.
func nearest(dst, src *data.Image, box image.Rectangle, full image.Point, win image.Rectangle) {
	sx, sy := float64(box.Dx())/float64(full.X), float64(box.Dy())/float64(full.Y)
	c := src.C
	d := dst.Pix
	for y := win.Min.Y; y < win.Max.Y; y++ {
		iy := box.Min.Y + min(int((float64(y)+0.5)*sy), box.Dy()-1)
		row := src.Pix[iy*src.W*c:]
		for x := win.Min.X; x < win.Max.X; x++ {
			ix := box.Min.X + min(int((float64(x)+0.5)*sx), box.Dx()-1)
			d = d[copy(d, row[ix*c:(ix+1)*c]):]
		}
	}
}
