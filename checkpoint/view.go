package checkpoint

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// A view says which elements of a storage make a tensor: element (i, j, ...) is the one at i*strides[0] + j*strides[1] +
// ... from the first. Transposing, slicing and expanding in PyTorch change nothing but that.
type view struct {
	shape   []int64
	strides []int64 // in elements
}

// maxDims is PyTorch's own limit.
const maxDims = 64

// newView checks that a view stays within room elements, and returns it with its number of elements.
func newView(shape, strides []int64, room int64) (view, int64, error) {
	v := view{shape, strides}
	if len(shape) != len(strides) || len(shape) > maxDims {
		return v, 0, fmt.Errorf("want as many strides as dimensions and at most %d, got shape %v and strides %v", maxDims, shape[:min(len(shape), maxDims)], strides[:min(len(strides), maxDims)])
	}
	empty := false
	for i, n := range shape {
		if n < 0 || n > math.MaxInt || strides[i] < 0 {
			return v, 0, fmt.Errorf("want dimensions and strides from 0, got shape %v and strides %v", shape, strides)
		}
		empty = empty || n == 0
	}
	if empty {
		return v, 0, nil
	}
	n, last := int64(1), int64(0)
	for i, d := range shape {
		if d > 1 && strides[i] > (math.MaxInt64-last)/(d-1) || n > math.MaxInt64/d {
			return v, 0, fmt.Errorf("shape %v with strides %v overflows", shape, strides)
		}
		last += (d - 1) * strides[i]
		n *= d
	}
	if last >= room {
		return v, 0, fmt.Errorf("want a tensor within the %d elements that are left, got shape %v with strides %v, whose last is %d", room, shape, strides, last)
	}
	return v, n, nil
}

// contiguous tells whether the elements lie row-major and without gaps.
func (v view) contiguous() bool {
	want := int64(1)
	ok := true
	for i := len(v.shape) - 1; i >= 0; i-- {
		if v.shape[i] == 0 {
			return true
		}
		if v.shape[i] != 1 && v.strides[i] != want {
			ok = false
		}
		want *= v.shape[i]
	}
	return ok
}

// A viewAxis is one dimension of a view: its extent, its step in the storage and its step in the row-major tensor, both
// in elements.
type viewAxis struct{ n, from, to int64 }

// axes returns the dimensions of a view that is not contiguous in the order in which the storage has them, outermost
// first, so that the storage is read forwards. Where elements overlap, as those of a sliding window, there is no such
// order; reading could then cost the square of the file, and the error is errRefused. Expanded dimensions, of stride 0,
// go innermost.
func (v view) axes() ([]viewAxis, error) {
	var axes []viewAxis
	to := int64(1)
	for i := len(v.shape) - 1; i >= 0; i-- {
		if v.shape[i] != 1 {
			axes = append(axes, viewAxis{v.shape[i], v.strides[i], to})
		}
		to *= v.shape[i]
	}
	slices.SortStableFunc(axes, func(a, b viewAxis) int { return cmp.Compare(b.from, a.from) })
	reach := int64(0) // of the axes further in
	for i := len(axes) - 1; i >= 0; i-- {
		if a := axes[i]; a.from != 0 {
			if a.from <= reach {
				return nil, fmt.Errorf("the elements of shape %v with strides %v overlap; call contiguous() on it: %w", v.shape, v.strides, errRefused)
			}
			reach += (a.n - 1) * a.from
		}
	}
	return axes, nil
}

// scatter reads a tensor that is not contiguous, in the storage's order: put receives each element with its position in
// the row-major tensor. One pass over the file with a small buffer needs no more memory than the result, and a transposed
// matrix costs the same as any other.
func (f *File) scatter(t Info, put func(i int64, elem []byte)) error {
	axes, err := t.view.axes()
	if err != nil {
		return err
	}
	elem := int64(t.DType.Size())
	end := t.offset
	for _, a := range axes {
		end += (a.n - 1) * a.from * elem
	}
	w := window{f: f, t: t, end: end + elem}
	count := make([]int64, len(axes))
	from, to := int64(0), int64(0)
	inner := len(axes) - 1
	for {
		b, err := w.at(t.offset+from*elem, elem)
		if err != nil {
			return err
		}
		put(to, b)
		a := inner
		for ; a >= 0; a-- {
			from += axes[a].from
			to += axes[a].to
			if count[a]++; count[a] < axes[a].n {
				break
			}
			from -= axes[a].from * axes[a].n
			to -= axes[a].to * axes[a].n
			count[a] = 0
		}
		if a < 0 {
			return nil
		}
	}
}

// A window is the part of the file that scatter has in memory. It moves forwards only.
type window struct {
	f     *File
	t     Info
	end   int64 // of the view
	start int64
	buf   []byte
}

// at returns the n bytes at off.
func (w *window) at(off, n int64) ([]byte, error) {
	if off < w.start || off+n > w.start+int64(len(w.buf)) {
		size := min(chunkBytes, w.end-off)
		if int64(cap(w.buf)) < size {
			w.buf = make([]byte, size)
		}
		w.start, w.buf = off, w.buf[:size]
		if err := w.f.readFull(w.t, w.buf, off); err != nil {
			w.buf = w.buf[:0]
			return nil, err
		}
	}
	i := off - w.start
	return w.buf[i : i+n], nil
}

// gather returns the bytes of a tensor in row-major, little-endian order.
func (f *File) gather(t Info) ([]byte, error) {
	size := int64(t.DType.Size())
	b := make([]byte, t.Size)
	if t.view != nil {
		return b, f.scatter(t, func(i int64, elem []byte) { copy(b[i*size:], elem) })
	}
	return b, f.readFull(t, b, t.offset)
}

// readFull reads a range of the file that belongs to a tensor, in whole elements, which come out little-endian.
func (f *File) readFull(t Info, b []byte, off int64) error {
	// A ReaderAt may report the end together with the last bytes.
	if n, err := f.r.ReadAt(b, off); n < len(b) {
		if errors.Is(err, io.EOF) { // the length was checked on opening, so the file has shrunk since
			return corruptf(f.path, "tensor %q: want bytes %d to %d, got the end of the file", t.Name, off, off+int64(len(b)))
		}
		return fmt.Errorf("%s: reading tensor %q: %w", f.path, t.Name, err)
	}
	if t.storage != nil && t.storage.bigEndian {
		for size := t.DType.Size(); len(b) > 0; b = b[size:] {
			slices.Reverse(b[:size])
		}
	}
	return nil
}
