package loader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/philox"
)

// fake is a data set of grey size x size images whose pixels depend on the sample; sample i has class i%classes.
type fake struct {
	n, size, classes int
	read             func(i int) error // called before each read, if set
}

func (f *fake) Len() int          { return f.n }
func (f *fake) Classes() []string { return make([]string, f.classes) }
func (f *fake) Label(i int) int   { return i % f.classes }
func (f *fake) Name(i int) string { return fmt.Sprintf("fake[%d]", i) }
func (f *fake) Channels() int     { return 1 }
func (f *fake) Read(i int, m *data.Image) error {
	if f.read != nil {
		if err := f.read(i); err != nil {
			return err
		}
	}
	m.Reset(f.size, f.size, 1)
	for k := range m.Pix {
		m.Pix[k] = byte(i*31 + k*7)
	}
	return nil
}

// augmented returns a pipeline with random choices of every kind for grey images.
func augmented(t testing.TB, size int) *augment.Pipeline {
	t.Helper()
	c := augment.Default(size, size, 1)
	c.HFlip, c.Rotation, c.CropPadding, c.ReProb, c.ReMode, c.AutoAugment = 0.5, 10, 2, 0.3, augment.ErasePixel, "trivial"
	p, err := augment.Train(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func plain(t testing.TB, size int) *augment.Pipeline {
	t.Helper()
	p, err := augment.Eval(augment.Default(size, size, 1))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustNew(t testing.TB, ds data.Dataset, p *augment.Pipeline, cfg Config) *Loader {
	t.Helper()
	l, err := New(ds, p, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// collect returns copies of the batches of an epoch from first on.
func collect(t testing.TB, l *Loader, epoch, first int) []*Batch {
	t.Helper()
	it := l.Epoch(context.Background(), epoch, first)
	defer it.Close()
	var out []*Batch
	for {
		b, err := it.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, &Batch{X: slices.Clone(b.X), T: slices.Clone(b.T), Labels: slices.Clone(b.Labels),
			Index: slices.Clone(b.Index), N: b.N, Number: b.Number, Mixed: b.Mixed})
		it.Release(b)
	}
}

func equal(a, b *Batch) bool {
	return slices.Equal(a.X, b.X) && slices.Equal(a.T, b.T) && slices.Equal(a.Labels, b.Labels) &&
		slices.Equal(a.Index, b.Index) && a.N == b.N && a.Number == b.Number && a.Mixed == b.Mixed
}

var allMixed = Mix{MixUp: 0.4, CutMix: 1, Prob: 0.8, Switch: 0.5}

func TestWorkersDoNotChangeBatches(t *testing.T) {
	for i, batch := range []int{1, 5, 16, 103, 200} {
		cfg := Config{Batch: batch, Seed: 3, Shuffle: true, Mix: allMixed}
		cfg.Mix.Mode = MixModes[i%len(MixModes)]
		ds := &fake{n: 103, size: 9, classes: 4}
		want := collect(t, mustNew(t, ds, augmented(t, 9), cfg), 2, 0)
		for _, workers := range []int{1, 2, 7} {
			for _, prefetch := range []int{1, 3} {
				cfg.Workers, cfg.Prefetch = workers, prefetch
				got := collect(t, mustNew(t, ds, augmented(t, 9), cfg), 2, 0)
				if !slices.EqualFunc(got, want, equal) {
					t.Errorf("batch %d: %d workers with %d batches ahead gave other batches than none", batch, workers, prefetch)
				}
			}
		}
	}
}

func TestEpochFromTheMiddle(t *testing.T) {
	for _, workers := range []int{0, 3} {
		l := mustNew(t, &fake{n: 50, size: 8, classes: 10}, augmented(t, 8),
			Config{Batch: 7, Workers: workers, Seed: 1, Shuffle: true, Mix: allMixed})
		whole := collect(t, l, 4, 0)
		if len(whole) != 8 || len(whole) != l.Batches() {
			t.Fatalf("%d batches and Batches() = %d, want 8", len(whole), l.Batches())
		}
		for k := 0; k <= len(whole); k++ {
			if got := collect(t, l, 4, k); !slices.EqualFunc(got, whole[k:], equal) {
				t.Errorf("%d workers: the epoch from batch %d on differs from the whole one's end", workers, k)
			}
		}
		for _, k := range []int{-1, 9} {
			it := l.Epoch(context.Background(), 4, k)
			if _, err := it.Next(); !errors.Is(err, ErrConfig) {
				t.Errorf("an epoch from batch %d gave %v, want ErrConfig", k, err)
			}
			it.Close()
		}
	}
}

func TestEverySampleOnce(t *testing.T) {
	ds := &fake{n: 101, size: 4, classes: 3}
	for _, tt := range []struct {
		shuffle, drop bool
		want          int
	}{{true, false, 101}, {true, true, 100}, {false, false, 101}, {false, true, 100}} {
		l := mustNew(t, ds, plain(t, 4), Config{Batch: 10, Workers: 2, Seed: 5, Shuffle: tt.shuffle, DropLast: tt.drop})
		var orders [2][]int32
		for epoch := range orders {
			seen := map[int32]bool{}
			for _, b := range collect(t, l, epoch, 0) {
				for row := range b.N {
					i := b.Index[row]
					if seen[i] {
						t.Fatalf("sample %d came twice in epoch %d", i, epoch)
					}
					seen[i] = true
					orders[epoch] = append(orders[epoch], i)
					if b.Labels[row] != i%3 {
						t.Fatalf("sample %d has label %d, want %d", i, b.Labels[row], i%3)
					}
				}
			}
			if len(seen) != tt.want {
				t.Errorf("%+v: %d samples, want %d", tt, len(seen), tt.want)
			}
		}
		if sorted := slices.IsSorted(orders[0]); sorted == tt.shuffle {
			t.Errorf("shuffle is %v and the order is sorted: %v", tt.shuffle, sorted)
		}
		if same := slices.Equal(orders[0], orders[1]); same == tt.shuffle {
			t.Errorf("shuffle is %v and both epochs have the same order: %v", tt.shuffle, same)
		}
	}
}

// TestLastBatchIsEmptyBeyondItsSamples uses few batches, so that the last one reuses the arrays of a full one.
func TestLastBatchIsEmptyBeyondItsSamples(t *testing.T) {
	for _, workers := range []int{0, 2} {
		l := mustNew(t, &fake{n: 43, size: 5, classes: 2}, plain(t, 5), Config{Batch: 8, Workers: workers, Prefetch: 1, Mix: allMixed})
		batches := collect(t, l, 0, 0)
		b := batches[len(batches)-1]
		if b.N != 3 || len(b.X) != 8*25 || len(b.T) != 8*2 || len(b.Labels) != 8 {
			t.Fatalf("N = %d, %d values, %d targets, %d labels", b.N, len(b.X), len(b.T), len(b.Labels))
		}
		nonzero := func(v float32) bool { return v != 0 }
		if slices.ContainsFunc(b.X[3*25:], nonzero) || slices.ContainsFunc(b.T[3*2:], nonzero) {
			t.Error("the rows after the samples are not zero")
		}
		for row := range 8 {
			if empty := b.Labels[row] == -1 && b.Index[row] == -1; empty != (row >= 3) {
				t.Errorf("row %d: label %d, index %d", row, b.Labels[row], b.Index[row])
			}
		}
	}
}

func TestTargetsAreOneHot(t *testing.T) {
	l := mustNew(t, &fake{n: 6, size: 4, classes: 3}, plain(t, 4), Config{Batch: 6, Classes: 5})
	b := collect(t, l, 0, 0)[0]
	for row := range 6 {
		for c := range 5 {
			want := float32(0)
			if c == row%3 {
				want = 1
			}
			if got := b.T[row*5+c]; got != want {
				t.Errorf("T[%d, %d] = %v, want %v", row, c, got, want)
			}
		}
	}
}

// TestRowsHoldTheSample compares X with the pipeline run by hand, with the stream that the package documents.
func TestRowsHoldTheSample(t *testing.T) {
	ds := &fake{n: 20, size: 8, classes: 2}
	p := augmented(t, 8)
	l := mustNew(t, ds, p, Config{Batch: 6, Workers: 2, Seed: 11, Shuffle: true})
	var w augment.Work
	want := make([]float32, p.Len())
	for _, b := range collect(t, l, 3, 0) {
		for row := range b.N {
			i := int(b.Index[row])
			if err := ds.Read(i, w.Image()); err != nil {
				t.Fatal(err)
			}
			if err := p.Apply(philox.New(11, philox.Augment, 3, i), &w, want); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(b.X[row*p.Len():(row+1)*p.Len()], want) {
				t.Fatalf("the row of sample %d differs from its pipeline", i)
			}
		}
	}
}

func TestInvalidConfigs(t *testing.T) {
	ds := &fake{n: 10, size: 4, classes: 3}
	tests := []struct {
		name string
		ds   data.Dataset
		cfg  Config
	}{
		{"batch size", ds, Config{}},
		{"workers", ds, Config{Batch: 1, Workers: -1}},
		{"prefetch", ds, Config{Batch: 1, Prefetch: -1}},
		{"no samples", &fake{classes: 2}, Config{Batch: 1}},
		{"fill one batch", ds, Config{Batch: 11, DropLast: true}},
		{"fake[2] has label 2", ds, Config{Batch: 1, Classes: 2}},
		{"classes", ds, Config{Batch: 1, Classes: -1}},
		{"mixup", ds, Config{Batch: 1, Mix: Mix{MixUp: -1}}},
		{"probability", ds, Config{Batch: 1, Mix: Mix{MixUp: 1, Prob: 1.5}}},
	}
	for _, tt := range tests {
		if _, err := New(tt.ds, plain(t, 4), tt.cfg); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.name) {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

// reducible is a fake whose pictures are large, and which tells how small they may be.
type reducible struct {
	fake
	asked sync.Map
}

func (r *reducible) ReadReduced(i int, m *data.Image, reduce func(w, h int) int) error {
	r.asked.Store(i, reduce(100*r.size, 100*r.size))
	return r.Read(i, m)
}

// The pipeline's reduction reaches the data set, whatever the batches are made of.
func TestReductionIsAskedFor(t *testing.T) {
	ds := &reducible{fake: fake{n: 6, size: 9, classes: 2}}
	pipe, err := augment.Eval(augment.Config{H: 9, W: 9, Channels: 1, Mean: []float64{0}, Std: []float64{1}})
	if err != nil {
		t.Fatal(err)
	}
	numbers := mustNew(t, ds, pipe, Config{Batch: 3, Workers: 2})
	for name, l := range map[string]*Loader{"numbers": numbers, "bytes": numbers.Pixels()} {
		ds.asked.Clear()
		collect(t, l, 0, 0)
		for i := range ds.n {
			if got, _ := ds.asked.Load(i); got != 8 {
				t.Errorf("%s: sample %d may be reduced to 1/%v, want 1/8", name, i, got)
			}
		}
	}
}
