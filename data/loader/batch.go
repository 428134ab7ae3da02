package loader

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/philox"
)

// Batch is what one step trains on. The arrays always have room for Config.Batch samples, B below; in a last batch that
// is not full, the rows from N on are zero in X and T, where they add nothing to a loss, and -1 in Labels and Index.
type Batch struct {
	X      []float32 // (B, H, W, C), normalised; nil if the loader gives bytes: see Loader.Pixels
	Pix    []byte    // in place of X: (B, H, W, C) before normalisation, and up to 3 more that fill a word
	Flip   []uint32  // in place of X: (B), 1 for the images that are to be mirrored left to right
	T      []float32 // (B, classes), one-hot unless Mixed
	Labels []int32   // (B), the class of the sample, of the larger share too where Mixed
	Index  []int32   // (B), which sample of the data set it is
	N      int       // samples
	Number int       // of the batch in its epoch, from 0
	Mixed  bool      // MixUp or CutMix was applied

	sample  int   // values of one
	claimed int   // samples that workers have taken on
	pending int   // samples not finished yet
	err     error // of the sample at errAt
	errAt   int
	spare   []float32 // a row while it is mixed
	ready   bool
	held    bool // by the consumer
}

func newBatch(batch, sample, classes int, pixels bool) *Batch {
	b := &Batch{
		sample: sample,
		T:      make([]float32, batch*classes),
		Labels: make([]int32, batch),
		Index:  make([]int32, batch),
	}
	if pixels {
		b.Pix, b.Flip = make([]byte, (batch*sample+3)&^3), make([]uint32, batch)
	} else {
		b.X = make([]float32, batch*sample)
	}
	return b
}

// reset prepares b for n samples and empties the rows after them.
func (b *Batch) reset(number, n int) {
	size := len(b.Labels)
	b.N, b.Number, b.Mixed = n, number, false
	b.claimed, b.pending = 0, n
	b.err, b.errAt, b.ready, b.held = nil, 0, false, false
	clear(b.X[len(b.X)/size*n:])
	if b.Pix != nil {
		clear(b.Pix[b.sample*n:])
		clear(b.Flip[n:])
	}
	clear(b.T[len(b.T)/size*n:])
	for i := n; i < size; i++ {
		b.Labels[i], b.Index[i] = -1, -1
	}
}

// fill prepares rows lo..hi-1 of b. It returns the first sample that failed, with the reason.
func (l *Loader) fill(w *worker, b *Batch, order []int, epoch, lo, hi int) (at int, err error) {
	t := l.cfg.Classes
	for row := lo; row < hi; row++ {
		i := b.Number*l.cfg.Batch + row
		if order != nil {
			i = order[i]
		}
		if err := l.load(w, epoch, i, b, row); err != nil {
			return row, err
		}
		label := l.ds.Label(i)
		target := b.T[row*t : (row+1)*t]
		clear(target)
		target[label] = 1
		b.Labels[row], b.Index[row] = int32(label), int32(i)
	}
	return 0, nil
}

// load prepares the contents of one row, as numbers or bytes.
func (l *Loader) load(w *worker, epoch, i int, b *Batch, row int) error {
	lo, hi := row*l.size, (row+1)*l.size
	if b.Pix == nil {
		return l.read(w, epoch, i, b.X[lo:hi])
	}
	mirror, err := l.readPixels(w, epoch, i, b.Pix[lo:hi])
	b.Flip[row] = 0
	if mirror {
		b.Flip[row] = 1
	}
	return err
}

// augment decodes and augments sample i of the data set into x (H, W, C).
func (l *Loader) augment(ds data.Dataset, w *worker, epoch, i int, x []float32) error {
	err := l.draw(ds, w, epoch, i)
	if err == nil {
		err = l.pipe.Apply(&w.rng, &w.work, x)
	}
	return l.named(i, err)
}

// draw begins the stream of random numbers of sample i and decodes it.
func (l *Loader) draw(ds data.Dataset, w *worker, epoch, i int) error {
	w.rng = philox.MakeStream(l.cfg.Seed, philox.Augment, epoch, i)
	return decode(ds, w, i)
}

// named adds the name of sample i to an error.
func (l *Loader) named(i int, err error) error {
	if err == nil {
		return nil
	}
	if name := l.ds.Name(i); !strings.Contains(err.Error(), name) {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return err
}

// errPanic marks a decoder's panic, which bad bytes can provoke in any of the libraries below. It must not take the run
// down with a stack trace of an image library.
var errPanic = errors.New("the decoder panicked")

func decode(ds data.Dataset, w *worker, i int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: %w: %w: %v", ds.Name(i), data.ErrCorrupt, errPanic, r)
		}
	}()
	return data.ReadReduced(ds, i, w.work.Image(), w.reduce)
}

// finish mixes the batch once all its samples are there.
func (l *Loader) finish(b *Batch, epoch int) {
	if l.cfg.Mix.On() {
		rng := philox.MakeStream(l.cfg.Seed, philox.Mix, epoch, b.Number)
		var h, w, c int // CutMix asks for them, and tensors have none
		if l.pipe != nil {
			h, w, c = l.pipe.H, l.pipe.W, l.pipe.C
		}
		b.Mixed = l.cfg.Mix.apply(&rng, b, h, w, c)
	}
}
