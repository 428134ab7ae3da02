// Package loader turns a data set into batches: it decodes and augments on several goroutines, a bounded number of
// batches ahead of the consumer, and hands them out in order.
//
// What a batch holds depends on (seed, epoch, batch) alone. The order of an epoch, the augmentation of a sample and the
// mixing of a batch each draw from a stream of their own, so neither the number of workers nor an interruption in the
// middle of an epoch changes a bit.
package loader

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/philox"
)

// ErrConfig marks a Config that cannot work, or that does not suit its data set. Wrapped errors name the field.
var ErrConfig = errors.New("invalid loader configuration")

// Config says how batches are made.
type Config struct {
	Batch    int    // samples per batch
	Workers  int    // goroutines that decode and augment; 0 does the work inside Next
	Prefetch int    // batches prepared ahead at most; 0 means 2
	Seed     uint64 // of the order, the augmentation and the mixing
	Shuffle  bool   // a new order in each epoch; otherwise the data set's own
	DropLast bool   // leave out a last batch that is not full
	Classes  int    // width of the targets; 0 means as many as the data set has
	Mix      Mix
}

// Loader makes the batches of a data set. Its methods may be called from several goroutines, and several epochs may be
// under way at once.
type Loader struct {
	ds   labelled
	read func(w *worker, epoch, i int, x []float32) error // fills x with sample i of ds
	// readPixels is read for a loader that gives bytes, else nil.
	readPixels func(w *worker, epoch, i int, pix []byte) (mirror bool, err error)
	size       int               // values of a sample
	pipe       *augment.Pipeline // nil for tensors
	cfg        Config
	chunk      int // samples that a worker claims at a time

	mu      sync.Mutex
	free    []*Batch  // batches and workers of past epochs, kept so that
	workers []*worker // a steady state allocates nothing
}

// worker is the memory of one goroutine.
type worker struct {
	work augment.Work
	rng  philox.Stream // here and not on the stack, from which an interface call would make it escape for each sample
	// reduce is the reduction of a w x h image, for the sample that rng belongs to; here, because making a closure takes memory.
	reduce func(w, h int) int
}

// labelled is what a loader needs to know of its samples beside their contents.
type labelled interface {
	Len() int
	Classes() []string
	Label(i int) int
	Name(i int) string
}

// New returns a loader of ds. It looks at every label, so that a label out of range shows before the first step.
// Errors wrap ErrConfig.
func New(ds data.Dataset, pipe *augment.Pipeline, cfg Config) (*Loader, error) {
	l, err := newLoader(ds, pipe.Len(), cfg)
	if err != nil {
		return nil, err
	}
	l.pipe = pipe
	l.read = func(w *worker, epoch, i int, x []float32) error { return l.augment(ds, w, epoch, i, x) }
	return l, nil
}

func newLoader(ds labelled, size int, cfg Config) (*Loader, error) {
	if cfg.Classes == 0 {
		cfg.Classes = len(ds.Classes())
	}
	if cfg.Prefetch == 0 {
		cfg.Prefetch = 2
	}
	n := ds.Len()
	switch {
	case cfg.Batch < 1:
		return nil, fmt.Errorf("%w: the batch size is %d; want at least 1", ErrConfig, cfg.Batch)
	case cfg.Workers < 0:
		return nil, fmt.Errorf("%w: workers is %d; want 0 (none of its own) or more", ErrConfig, cfg.Workers)
	case cfg.Prefetch < 0:
		return nil, fmt.Errorf("%w: prefetch is %d; want at least 1 batch, or 0 for the default", ErrConfig, cfg.Prefetch)
	case n == 0:
		return nil, fmt.Errorf("%w: the data set has no samples", ErrConfig)
	case cfg.DropLast && n < cfg.Batch:
		return nil, fmt.Errorf("%w: %d samples do not fill one batch of %d, and incomplete batches are dropped; lower the batch size", ErrConfig, n, cfg.Batch)
	case cfg.Classes < 1:
		return nil, fmt.Errorf("%w: classes is %d; want at least 1", ErrConfig, cfg.Classes)
	}
	if err := cfg.Mix.validate(); err != nil {
		return nil, err
	}
	for i := range n {
		if c := ds.Label(i); c < 0 || c >= cfg.Classes {
			return nil, fmt.Errorf("%w: %s has label %d; want 0 to %d, for %d classes", ErrConfig, ds.Name(i), c, cfg.Classes-1, cfg.Classes)
		}
	}
	l := &Loader{ds: ds, size: size, cfg: cfg, chunk: 1}
	if cfg.Workers > 0 {
		// Small enough that all workers share the batch which the consumer waits for, and large enough that the lock
		// does not show for samples of a microsecond.
		l.chunk = min(max(cfg.Batch/(4*cfg.Workers), 1), 16)
	}
	return l, nil
}

// Batches returns the number of batches per epoch.
func (l *Loader) Batches() int {
	n := l.ds.Len()
	if l.cfg.DropLast {
		return n / l.cfg.Batch
	}
	return (n + l.cfg.Batch - 1) / l.cfg.Batch
}

// Mix returns how batches are mixed.
func (l *Loader) Mix() Mix { return l.cfg.Mix }

// String describes the loader for a log.
func (l *Loader) String() string {
	s := fmt.Sprintf("%d samples in %d batches of %d, %d workers, %d ahead", l.ds.Len(), l.Batches(), l.cfg.Batch, l.cfg.Workers, l.cfg.Prefetch)
	if l.pipe != nil {
		s += fmt.Sprintf(": %v", l.pipe)
	}
	return s
}

// order returns the permutation of an epoch, or nil for the data set's own order.
func (l *Loader) order(epoch int) []int {
	if !l.cfg.Shuffle {
		return nil
	}
	p := make([]int, l.ds.Len())
	philox.New(l.cfg.Seed, philox.Shuffle, epoch, 0).Perm(p)
	return p
}

func (l *Loader) takeBatch() *Batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.free); n > 0 {
		b := l.free[n-1]
		l.free = l.free[:n-1]
		return b
	}
	return newBatch(l.cfg.Batch, l.size, l.cfg.Classes, l.readPixels != nil)
}

func (l *Loader) giveBatch(b *Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.free = append(l.free, b)
}

func (l *Loader) takeWorker() *worker {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.workers); n > 0 {
		w := l.workers[n-1]
		l.workers = l.workers[:n-1]
		return w
	}
	w := new(worker)
	w.reduce = func(width, height int) int { return l.pipe.Reduction(w.rng, width, height) }
	return w
}

func (l *Loader) giveWorker(w *worker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.workers = append(l.workers, w)
}
