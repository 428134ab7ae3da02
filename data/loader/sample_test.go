package loader

import (
	"errors"
	"slices"
	"testing"
)

// What Sample returns is the row of the epoch's batch.
func TestSampleIsTheBatchRow(t *testing.T) {
	p := augmented(t, 8)
	l := mustNew(t, &fake{n: 20, size: 8, classes: 2}, p, Config{Batch: 6, Workers: 2, Seed: 11, Shuffle: true})
	x := make([]float32, p.Len())
	for _, b := range collect(t, l, 3, 0) {
		for row := range b.N {
			if err := l.Sample(3, int(b.Index[row]), x); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(b.X[row*p.Len():(row+1)*p.Len()], x) {
				t.Fatalf("sample %d differs from its row", b.Index[row])
			}
		}
	}
	for _, i := range []int{-1, 20} {
		if err := l.Sample(0, i, x); !errors.Is(err, ErrConfig) {
			t.Errorf("sample %d: %v, want ErrConfig", i, err)
		}
	}
}
