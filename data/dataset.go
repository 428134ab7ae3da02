// Package data turns what lies on people's disks into labelled images: IDX and CIFAR files, image folders, archives.
//
// The package reads; package data/augment changes images, data/loader batches them, data/synth draws the embedded sets.
//
// Open recognises a data set by what a place holds. Every place (a folder, a .tar, a .tar.gz, a .zip) becomes a tree,
// a sorted list of files that can be read from several goroutines; the formats are found by looking at that list, so
// each of them works in each kind of place. Everything read is treated as hostile: sizes are checked before memory is
// allocated for them, and no bytes make the package panic.
package data

import "errors"

// Image is an 8-bit picture: Pix holds H rows of W pixels of C interleaved channels, (H, W, C), without padding.
// C is 1 (grey) or 3 (RGB).
type Image struct {
	W, H, C int
	Pix     []uint8
	Draft   Draft // zero unless the picture was read at a fraction of its size
}

// Draft says what a reduced picture stands for: a whole one of W x H pixels, of which each pixel covers N x N; fewer at the right and lower edge.
type Draft struct{ W, H, N int }

// Whole returns m.Draft, and for a picture that is whole itself its own size with N = 1.
func (m *Image) Whole() Draft {
	if m.Draft.N == 0 {
		return Draft{m.W, m.H, 1}
	}
	return m.Draft
}

// Reset makes m a w x h picture of c channels, reusing its memory where that suffices. The contents are undefined.
func (m *Image) Reset(w, h, c int) {
	m.W, m.H, m.C, m.Draft = w, h, c, Draft{}
	n := w * h * c
	if cap(m.Pix) < n {
		m.Pix = make([]uint8, n)
	}
	m.Pix = m.Pix[:n]
}

// Dataset is a list of labelled images. All methods may be called from several goroutines at once.
type Dataset interface {
	// Len returns the number of samples.
	Len() int
	// Classes returns the class names; a label is an index into it. The caller must not change it.
	Classes() []string
	// Label returns the class of sample i.
	Label(i int) int
	// Name says where sample i comes from, for messages: a path, or "train-images.gz[17]".
	Name(i int) string
	// Read decodes sample i into m. Bad bytes give an error that wraps ErrCorrupt and contains Name(i).
	Read(i int, m *Image) error
	// Channels returns 1 if every image is grey by format (IDX), else 3: colour readers always deliver RGB.
	Channels() int
}

// Reducer is a Dataset whose images can be had smaller for less work.
type Reducer interface {
	Dataset
	// ReadReduced is Read for a caller who allows width and height to be divided by reduce(w, h): 1, 2, 4 or 8. The result
	// may be whole nevertheless; m.Draft tells.
	ReadReduced(i int, m *Image, reduce func(w, h int) int) error
}

// ReadReduced reads sample i of ds reduced, if ds can do that.
func ReadReduced(ds Dataset, i int, m *Image, reduce func(w, h int) int) error {
	if r, ok := ds.(Reducer); ok {
		return r.ReadReduced(i, m, reduce)
	}
	return ds.Read(i, m)
}

// Errors that callers tell apart with errors.Is. Everything else that a reader returns is an I/O error.
var (
	// ErrCorrupt marks bytes that are not what their format promises: truncated, wrong magic, too many pixels.
	ErrCorrupt = errors.New("corrupt data")
	// ErrFormat marks a place that holds no data set that this package knows.
	ErrFormat = errors.New("not a data set")
	// ErrOption marks a value of Options that makes no sense.
	ErrOption = errors.New("invalid option")
)

// Source is an opened data set with its two parts.
type Source struct {
	Format string  // "idx", "cifar10", "folder", "folder.tar.gz", "digits", ...
	Train  Dataset // nil if there is only a validation part
	Val    Dataset // never nil in a source from Open
	// Digest identifies the contents (names, labels, sizes) and the split, so that a resumed run notices other data.
	// Hexadecimal. It does not depend on where the data lies.
	Digest string
	// Notes are remarks for the user: files that were skipped and why, how the split was drawn.
	Notes []string

	skips *Tolerance
	close func() error
}

// Skipped lists the corrupt samples that Options.SkipCorrupt made Read replace so far, ordered by name.
func (s *Source) Skipped() []BadSample {
	if s.skips == nil {
		return nil
	}
	return s.skips.Skipped()
}

// Close releases files that the source holds open.
func (s *Source) Close() error {
	if s.close == nil {
		return nil
	}
	return s.close()
}
