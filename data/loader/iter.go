package loader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// errClosed is what Next returns after Close.
var errClosed = errors.New("loader: Next after Close")

// Iter hands out the batches of one epoch. Next, Release and Wait belong to one goroutine; Close may come from another.
//
// Workers claim samples in the order in which they will be consumed: a batch is opened when the one before it has been
// claimed completely and fewer than Config.Prefetch batches are in the queue. What the consumer holds does not count,
// so it may hold any number.
type Iter struct {
	l     *Loader
	ctx   context.Context
	epoch int
	order []int // nil: the data set's own order
	wait  time.Duration
	solo  *worker // does the work inside Next if there are no workers
	quit  func() bool
	wg    sync.WaitGroup

	mu     sync.Mutex
	space  sync.Cond // the queue has room, or there is nothing more to do: for workers
	ready  sync.Cond // the head of the queue is ready, or err is set: for Next
	queue  []*Batch  // ring of Config.Prefetch batches, opened and not yet handed out
	head   int
	count  int
	open   *Batch // the last one opened
	next   int    // number of the batch to open next
	failed bool   // a sample was bad: open no more
	err    error  // what Next returns from now on
}

// Epoch starts an epoch at batch firstBatch, whose batches equal those of the whole epoch. The order is that of the
// epoch, which counts from 0. The caller must Close the Iter. Cancelling ctx ends it early.
func (l *Loader) Epoch(ctx context.Context, epoch, firstBatch int) *Iter {
	it := &Iter{l: l, ctx: ctx, epoch: epoch, next: firstBatch}
	it.space.L, it.ready.L = &it.mu, &it.mu
	if firstBatch < 0 || firstBatch > l.Batches() {
		it.err = fmt.Errorf("%w: the epoch begins at batch %d; want 0 to %d", ErrConfig, firstBatch, l.Batches())
		return it
	}
	it.order = l.order(epoch)
	if l.cfg.Workers == 0 {
		it.solo = l.takeWorker()
		return it
	}
	it.queue = make([]*Batch, l.cfg.Prefetch)
	it.wg.Add(1) // for the call below, if it comes
	it.quit = context.AfterFunc(ctx, func() {
		defer it.wg.Done()
		it.stop(ctx.Err())
	})
	for range l.cfg.Workers {
		it.wg.Go(it.work)
	}
	return it
}

// stop lets Next return err from now on, unless there is an error already, and the workers end.
func (it *Iter) stop(err error) {
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.err == nil {
		it.err = err
	}
	it.space.Broadcast()
	it.ready.Broadcast()
}

// Next returns the next batch, which belongs to the caller until Release. At the end of the epoch it returns io.EOF,
// after a cancellation the context's error, and for a sample that cannot be read an error with its name; the batches
// before that one come first. After an error it returns the same error again.
func (it *Iter) Next() (*Batch, error) {
	if err := it.ctx.Err(); err != nil {
		it.stop(err)
	}
	if it.l.cfg.Workers == 0 {
		return it.nextSolo()
	}
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.err == nil && !it.headReady() {
		start := time.Now()
		for it.err == nil && !it.headReady() {
			it.ready.Wait()
		}
		it.wait += time.Since(start)
	}
	if it.err != nil {
		return nil, it.err
	}
	if it.count == 0 {
		it.err = io.EOF
		return nil, it.err
	}
	b := it.queue[it.head]
	if b.err != nil {
		it.err = b.err
		return nil, it.err
	}
	it.head = (it.head + 1) % len(it.queue)
	it.count--
	b.held = true
	it.space.Signal()
	return b, nil
}

// headReady tells whether Next can return: the oldest batch is complete, or there will be none.
func (it *Iter) headReady() bool {
	if it.count == 0 {
		return it.next == it.l.Batches()
	}
	return it.queue[it.head].ready
}

// nextSolo makes the next batch in the caller's goroutine.
func (it *Iter) nextSolo() (*Batch, error) {
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.err == nil && it.next == it.l.Batches() {
		it.err = io.EOF
	}
	if it.err != nil {
		return nil, it.err
	}
	start := time.Now()
	b := it.openBatch()
	for row := 0; row < b.N && it.err == nil; row++ {
		if it.err = it.ctx.Err(); it.err == nil {
			_, it.err = it.l.fill(it.solo, b, it.order, it.epoch, row, row+1)
		}
	}
	if it.err != nil {
		it.l.giveBatch(b)
		return nil, it.err
	}
	it.l.finish(b, it.epoch)
	it.wait += time.Since(start)
	b.held = true
	return b, nil
}

// openBatch takes the next batch of the epoch out of the store.
func (it *Iter) openBatch() *Batch {
	b := it.l.takeBatch()
	size := it.l.cfg.Batch
	b.reset(it.next, min(size, it.l.ds.Len()-it.next*size))
	it.next++
	return b
}

// work is a worker's goroutine.
func (it *Iter) work() {
	w := it.l.takeWorker()
	defer it.l.giveWorker(w)
	it.mu.Lock()
	defer it.mu.Unlock()
	for {
		b, lo, hi := it.claim()
		if b == nil {
			return
		}
		it.mu.Unlock()
		at, err := it.l.fill(w, b, it.order, it.epoch, lo, hi)
		it.mu.Lock()
		if err != nil && (b.err == nil || at < b.errAt) {
			// The first bad sample of a batch is reported, whichever was found first; so its other samples are still
			// read, and no further batch is opened.
			b.err, b.errAt = err, at
			it.failed = true
			it.space.Broadcast()
		}
		b.pending -= hi - lo
		if b.pending > 0 {
			continue
		}
		if b.err == nil {
			it.mu.Unlock()
			it.l.finish(b, it.epoch)
			it.mu.Lock()
		}
		b.ready = true
		it.ready.Signal()
	}
}

// claim returns samples for a worker to prepare: rows lo..hi-1 of b. It waits for room in the queue, and returns nil when
// there is nothing more to do. it.mu is held.
func (it *Iter) claim() (b *Batch, lo, hi int) {
	for {
		if it.err != nil {
			return nil, 0, 0
		}
		if b = it.open; b != nil && b.claimed < b.N {
			lo, hi = b.claimed, min(b.claimed+it.l.chunk, b.N)
			b.claimed = hi
			return b, lo, hi
		}
		if it.failed || it.next == it.l.Batches() {
			return nil, 0, 0
		}
		if it.count < len(it.queue) {
			it.open = it.openBatch()
			it.queue[(it.head+it.count)%len(it.queue)] = it.open
			it.count++
			it.space.Broadcast() // the others can help with it
			continue
		}
		it.space.Wait()
	}
}

// Release gives a batch back, whose arrays the loader then uses again. Releasing a batch twice does nothing.
func (it *Iter) Release(b *Batch) {
	if b != nil && b.held {
		b.held = false
		it.l.giveBatch(b)
	}
}

// Wait returns the time that Next has spent waiting for data so far.
func (it *Iter) Wait() time.Duration { return it.wait }

// Close ends the epoch and waits for its goroutines, each of which finishes at most the samples at hand. Batches that
// are held stay valid and may be released afterwards. It may be called again.
func (it *Iter) Close() {
	it.stop(errClosed)
	if it.quit != nil && it.quit() {
		it.wg.Done() // the context's call will not come
	}
	it.wg.Wait()
	it.mu.Lock()
	defer it.mu.Unlock()
	it.err = errClosed
	for ; it.count > 0; it.count-- {
		it.l.giveBatch(it.queue[it.head])
		it.head = (it.head + 1) % len(it.queue)
	}
	if it.solo != nil {
		it.l.giveWorker(it.solo)
		it.solo = nil
	}
}
