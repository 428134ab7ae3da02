package loader

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/augment"
)

func TestBatchesAllocateNothing(t *testing.T) {
	for _, workers := range []int{0, 1, 2} {
		for name, mix := range map[string]Mix{"plain": {}, "mixed": allMixed} {
			t.Run(fmt.Sprintf("%d workers, %s", workers, name), func(t *testing.T) {
				l := mustNew(t, &fake{n: 64 * 300, size: 28, classes: 10}, augmented(t, 28),
					Config{Batch: 64, Workers: workers, Shuffle: true, Mix: mix})
				it := l.Epoch(context.Background(), 0, 0)
				defer it.Close()
				step := func() {
					b, err := it.Next()
					if err != nil {
						t.Fatal(err)
					}
					it.Release(b)
				}
				for range 20 { // the buffers and the store of batches grow to their sizes
					step()
				}
				const steps = 200
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for range steps {
					step()
				}
				runtime.ReadMemStats(&after)
				// Of all goroutines, and the runtime has a few of its own now and then.
				if n := after.Mallocs - before.Mallocs; n > steps/10 {
					t.Errorf("%d allocations in %d batches, want none", n, steps)
				}
			})
		}
	}
}

// sharedData returns a folder of the data that lies beside the repository, or "".
func sharedData(name string) string {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			path := filepath.Join(dir, "..", "shared", "data", name)
			if _, err := os.Stat(path); err == nil {
				return path
			}
			return ""
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
		dir = filepath.Dir(dir)
	}
	return ""
}

// TestRealDigits loads MNIST's test part: ten classes of about a thousand digits, whose mean pixel after normalisation
// with MNIST's statistics is close to zero.
func TestRealDigits(t *testing.T) {
	path := sharedData("mnist")
	if path == "" {
		t.Skip("no ../shared/data/mnist")
	}
	src, err := data.Open(path, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	l := mustNew(t, src.Val, plain(t, 28), Config{Batch: 256, Workers: 2})
	var count [10]int
	sum, n := 0.0, 0
	for _, b := range collect(t, l, 0, 0) {
		for row := range b.N {
			count[b.Labels[row]]++
		}
		for _, v := range b.X[:b.N*28*28] {
			sum += float64(v)
		}
		n += b.N
	}
	if n != 10000 {
		t.Errorf("%d samples, want 10000", n)
	}
	for c, k := range count {
		if k < 850 || k > 1150 {
			t.Errorf("digit %d came %d times", c, k)
		}
	}
	if mean := sum / float64(n*28*28); mean < -0.02 || mean > 0.02 {
		t.Errorf("the mean is %.4f, want about 0", mean)
	}
}

// BenchmarkDigits measures one sample of 28x28, from a data set in memory to its row of a batch.
func BenchmarkDigits(b *testing.B) {
	for name, p := range map[string]*augment.Pipeline{"plain": plain(b, 28), "augmented": augmented(b, 28)} {
		for _, workers := range []int{0, 1, 2} {
			b.Run(fmt.Sprintf("%s/workers=%d", name, workers), func(b *testing.B) {
				const batch = 64
				l := mustNew(b, &stored{fake{n: 10000, size: 28, classes: 10}, make([]byte, 784)}, p,
					Config{Batch: batch, Workers: workers, Shuffle: true})
				it := l.Epoch(context.Background(), 0, 0)
				defer func() { it.Close() }()
				b.ReportAllocs()
				steps := 0
				for epoch := 1; b.Loop(); steps++ {
					bt, err := it.Next()
					if err == io.EOF {
						it.Close()
						it = l.Epoch(context.Background(), epoch, 0)
						epoch++
						continue
					}
					if err != nil {
						b.Fatal(err)
					}
					it.Release(bt)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(steps*batch), "ns/sample")
			})
		}
	}
}

// stored is a fake that copies its pixels, as a reader of IDX files does.
type stored struct {
	fake
	pix []byte
}

func (s *stored) Read(_ int, m *data.Image) error {
	m.Reset(s.size, s.size, 1)
	copy(m.Pix, s.pix)
	return nil
}
