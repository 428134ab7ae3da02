package bench

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/cnnctl/cnnctl/data/loader"
)

// A feed draws batches from a loader, one epoch after another.
type feed struct {
	ctx    context.Context
	l      *loader.Loader
	epoch  int
	it     *loader.Iter
	waited time.Duration // in the epochs that have ended
}

// Feed lets w run on the batches of l in place of the random one. Close ends it.
func (w *Work) Feed(ctx context.Context, l *loader.Loader) {
	w.feed = &feed{ctx: ctx, l: l, it: l.Epoch(ctx, 0, 0)}
}

// Close ends the goroutines of the loader, if there is one.
func (w *Work) Close() {
	if w.feed != nil {
		w.feed.it.Close()
	}
}

func (f *feed) next() (*loader.Batch, error) {
	b, err := f.it.Next()
	if errors.Is(err, io.EOF) && f.l.Batches() > 0 {
		f.waited += f.it.Wait()
		f.it.Close()
		f.epoch++
		f.it = f.l.Epoch(f.ctx, f.epoch, 0)
		b, err = f.it.Next()
	}
	return b, err
}

// waited returns the time that runs have waited for data so far.
func (w *Work) waited() time.Duration {
	if w.feed == nil {
		return 0
	}
	return w.feed.waited + w.feed.it.Wait()
}
