package loader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cnnctl/cnnctl/data"
)

func TestCorruptSampleComesInOrder(t *testing.T) {
	bad := map[int]bool{33: true, 36: true, 47: true} // in batches 4 and 5, of 8
	ds := &fake{n: 64, size: 4, classes: 2, read: func(i int) error {
		if i == 33 {
			time.Sleep(2 * time.Millisecond) // so that a later one is found first
		}
		if bad[i] {
			return fmt.Errorf("fake[%d]: %w: invented", i, data.ErrCorrupt)
		}
		return nil
	}}
	for _, workers := range []int{0, 1, 4} {
		l := mustNew(t, ds, plain(t, 4), Config{Batch: 8, Workers: workers, Prefetch: 4})
		it := l.Epoch(context.Background(), 0, 0)
		for k := range 4 {
			b, err := it.Next()
			if err != nil {
				t.Fatalf("%d workers: batch %d: %v", workers, k, err)
			}
			it.Release(b)
		}
		for range 2 {
			if _, err := it.Next(); !errors.Is(err, data.ErrCorrupt) || !strings.HasPrefix(err.Error(), "fake[33]: corrupt") {
				t.Errorf("%d workers: got %v, want the error of sample 33", workers, err)
			}
		}
		it.Close()
	}
}

func TestDecoderPanicIsAnError(t *testing.T) {
	ds := &fake{n: 4, size: 4, classes: 2, read: func(i int) error {
		if i == 2 {
			var empty []int
			_ = empty[i]
		}
		return nil
	}}
	for _, workers := range []int{0, 2} {
		it := mustNew(t, ds, plain(t, 4), Config{Batch: 4, Workers: workers}).Epoch(context.Background(), 0, 0)
		if _, err := it.Next(); !errors.Is(err, data.ErrCorrupt) || !strings.Contains(err.Error(), "fake[2]") {
			t.Errorf("got %v, want an ErrCorrupt that names fake[2]", err)
		}
		it.Close()
	}
}

func TestUnnamedErrorsGetTheSample(t *testing.T) {
	ds := &fake{n: 3, size: 4, classes: 1, read: func(int) error { return io.ErrUnexpectedEOF }}
	it := mustNew(t, ds, plain(t, 4), Config{Batch: 3}).Epoch(context.Background(), 0, 0)
	defer it.Close()
	if _, err := it.Next(); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(err.Error(), "fake[0]: ") {
		t.Errorf("got %v", err)
	}
}

func TestCancel(t *testing.T) {
	for _, workers := range []int{0, 3} {
		ctx, cancel := context.WithCancel(context.Background())
		l := mustNew(t, &fake{n: 1000, size: 4, classes: 2}, plain(t, 4), Config{Batch: 10, Workers: workers})
		it := l.Epoch(ctx, 0, 0)
		if _, err := it.Next(); err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := it.Next(); !errors.Is(err, context.Canceled) {
			t.Errorf("%d workers: got %v after a cancellation", workers, err)
		}
		it.Close()
	}
}

// TestCancelWakesNext cancels while Next waits for a sample that does not come.
func TestCancelWakesNext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	reading, release := make(chan bool, 8), make(chan bool)
	ds := &fake{n: 8, size: 4, classes: 2, read: func(int) error {
		reading <- true
		<-release
		return nil
	}}
	it := mustNew(t, ds, plain(t, 4), Config{Batch: 4, Workers: 2}).Epoch(ctx, 0, 0)
	go func() {
		<-reading
		cancel()
	}()
	if _, err := it.Next(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the cancellation", err)
	}
	if it.Wait() <= 0 {
		t.Error("Next waited, and Wait is zero")
	}
	close(release)
	it.Close()
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	l := mustNew(t, &fake{n: 200, size: 4, classes: 2}, plain(t, 4), Config{Batch: 5, Workers: 4, Prefetch: 3})
	for taken := range 42 { // 40 batches, then two more calls that meet the end
		ctx, cancel := context.WithCancel(context.Background())
		it := l.Epoch(ctx, 0, 0)
		var held []*Batch
		for range taken {
			if b, err := it.Next(); err == nil {
				held = append(held, b)
			} else if err != io.EOF {
				t.Fatal(err)
			}
		}
		if taken%2 == 1 {
			cancel()
		}
		it.Close()
		it.Close()
		if _, err := it.Next(); err == nil {
			t.Fatal("Next after Close gave a batch")
		}
		for _, b := range held {
			it.Release(b)
			it.Release(b)
		}
		cancel()
	}
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond) // a goroutine that has finished its function is counted a moment longer
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines before and %d after", before, n)
	}
	seen := map[*Batch]bool{}
	for _, b := range l.free {
		if seen[b] {
			t.Fatal("a batch is in the store twice")
		}
		seen[b] = true
	}
}

// TestConsumerMayHoldBatches: what the consumer keeps must not starve the workers.
func TestConsumerMayHoldBatches(t *testing.T) {
	l := mustNew(t, &fake{n: 100, size: 4, classes: 2}, plain(t, 4), Config{Batch: 5, Workers: 2, Prefetch: 1})
	it := l.Epoch(context.Background(), 0, 0)
	defer it.Close()
	var held []*Batch
	for {
		b, err := it.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, b)
	}
	for k, b := range held {
		if b.Number != k || b.Index[0] != int32(5*k) {
			t.Errorf("held batch %d is now number %d, from sample %d", k, b.Number, b.Index[0])
		}
	}
	if len(held) != 20 {
		t.Errorf("%d batches, want 20", len(held))
	}
}

func TestPrefetchIsBounded(t *testing.T) {
	l := mustNew(t, &fake{n: 500, size: 4, classes: 2}, plain(t, 4), Config{Batch: 5, Workers: 4, Prefetch: 3})
	it := l.Epoch(context.Background(), 0, 0)
	defer it.Close()
	time.Sleep(20 * time.Millisecond)
	it.mu.Lock()
	opened := it.next
	it.mu.Unlock()
	if opened > 3 {
		t.Errorf("%d batches were opened before the first was taken, want at most 3", opened)
	}
}
