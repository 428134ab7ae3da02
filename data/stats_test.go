package data

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fakeSet has samples of one grey value each; those in bad are corrupt, those in broken fail otherwise.
type fakeSet struct {
	values      []uint8
	classes     int
	bad, broken map[int]bool
}

var errDisk = errors.New("the disk fails")

func (f *fakeSet) Len() int          { return len(f.values) }
func (f *fakeSet) Classes() []string { return numbers(f.classes) }
func (f *fakeSet) Label(i int) int   { return i % f.classes }
func (f *fakeSet) Name(i int) string { return fmt.Sprintf("fake[%d]", i) }
func (f *fakeSet) Channels() int     { return 1 }
func (f *fakeSet) Read(i int, m *Image) error {
	switch {
	case f.bad[i]:
		return corrupt(f.Name(i), "made so")
	case f.broken[i]:
		return errDisk
	}
	m.Reset(2+i%3, 2, 1)
	for k := range m.Pix {
		m.Pix[k] = f.values[i]
	}
	return nil
}

func TestStats(t *testing.T) {
	ds := &fakeSet{values: []uint8{0, 255, 0, 255, 51, 51}, classes: 4}
	st, err := Stats(t.Context(), ds, 100)
	if err != nil {
		t.Fatal(err)
	}
	if st.Measured != 6 || !slices.Equal(st.PerClass, []int{2, 2, 1, 1}) || st.MinW != 2 || st.MaxW != 4 || st.MinH != 2 || st.MaxH != 2 {
		t.Errorf("got %+v", st)
	}
	// Values 0, 1, 0, 1, .2, .2, each image weighing the same: mean 0.4, mean square 2.08/6.
	if want := math.Sqrt(2.08/6 - 0.16); math.Abs(st.Mean[0]-0.4) > 1e-12 || math.Abs(st.Std[0]-want) > 1e-12 {
		t.Errorf("mean %v and deviation %v, want 0.4 and %v", st.Mean[0], st.Std[0], want)
	}
	if st, err = Stats(t.Context(), ds, 3); err != nil || st.Measured != 3 || st.Samples != 6 || math.Abs(st.Mean[0]-0.2/3) > 1e-12 {
		t.Errorf("three of six: %+v, %v", st, err) // samples 0, 2 and 4
	}
	ds.bad = map[int]bool{2: true}
	if _, err := Stats(t.Context(), ds, 3); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a corrupt sample gave %v", err)
	}
}

func TestCheck(t *testing.T) {
	ds := &fakeSet{values: ramp(200, 0), classes: 2, bad: map[int]bool{7: true, 150: true, 3: true}}
	var first *Statistics
	for _, workers := range []int{1, 2, 7, 0} {
		var mu sync.Mutex
		calls := 0
		st, err := Check(t.Context(), ds, workers, func(int) { mu.Lock(); calls++; mu.Unlock() })
		if err != nil {
			t.Fatal(err)
		}
		if calls != 200 {
			t.Errorf("progress was called %d times, want 200", calls)
		}
		var bad []int
		for _, b := range st.Corrupt {
			bad = append(bad, b.Index)
		}
		if !slices.Equal(bad, []int{3, 7, 150}) || st.Measured != 197 {
			t.Errorf("corrupt samples %v, %d measured; want 3, 7, 150 and 197", bad, st.Measured)
		}
		for i := range st.Corrupt {
			st.Corrupt[i].Err = nil
		}
		if first == nil {
			first = st
		} else if !reflect.DeepEqual(st, first) {
			t.Errorf("%d workers give %+v, one gives %+v", workers, st, first)
		}
	}
	ds.broken = map[int]bool{100: true}
	if _, err := Check(t.Context(), ds, 2, nil); !errors.Is(err, errDisk) {
		t.Errorf("a failing disk gave %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Check(ctx, ds, 2, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled check gave %v", err)
	}
}

func TestTolerance(t *testing.T) {
	// Classes alternate: 0 2 4 6 8 and 1 3 5 7 9.
	ds := &fakeSet{values: ramp(10, 0), classes: 2, bad: map[int]bool{2: true, 4: true, 9: true}}
	want := []uint8{0, 1, 6, 3, 6, 5, 6, 7, 8, 1}
	orders := [][]int{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0}, {4, 2, 4, 2, 9, 9, 0, 1, 3, 5, 6, 7, 8}}
	for _, order := range orders {
		tol := NewTolerance(3)
		wrapped := tol.Wrap(ds)
		var m Image
		for _, i := range order {
			if err := wrapped.Read(i, &m); err != nil {
				t.Fatal(err)
			}
			if m.Pix[0] != want[i] {
				t.Errorf("order %v: sample %d reads as %d, want %d", order, i, m.Pix[0], want[i])
			}
		}
		var names []string
		for _, b := range tol.Skipped() {
			names = append(names, b.Name)
		}
		if got := strings.Join(names, " "); got != "fake[2] fake[4] fake[9]" {
			t.Errorf("order %v: skipped %q", order, got)
		}
	}

	var m Image
	tol := NewTolerance(2)
	a, b := tol.Wrap(ds), tol.Wrap(ds) // two parts count together
	if err := a.Read(2, &m); err != nil {
		t.Fatal(err)
	}
	if err := b.Read(9, &m); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "fake[9]") || !strings.Contains(err.Error(), "2 corrupt samples are tolerated") {
		t.Errorf("the third corrupt sample gave %v", err)
	}
	if got := len(tol.Skipped()); got != 2 {
		t.Errorf("%d samples skipped, want 2", got)
	}

	all := &fakeSet{values: ramp(4, 0), classes: 2, bad: map[int]bool{0: true, 2: true}, broken: map[int]bool{3: true}}
	w := NewTolerance(10).Wrap(all)
	if err := w.Read(0, &m); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "class 0") {
		t.Errorf("a class without a readable sample gave %v", err)
	}
	if err := w.Read(3, &m); !errors.Is(err, errDisk) {
		t.Errorf("a failing disk gave %v", err)
	}
}

// Corrupt files in a folder: named without tolerance, replaced and listed with it, from several goroutines at once.
func TestSkipCorrupt(t *testing.T) {
	c := content{}
	for i := range 8 {
		c[fmt.Sprintf("train/a/%d.png", i)] = pngOf(t, uint8(i), 0, 0)
		c[fmt.Sprintf("train/b/%d.png", i)] = pngOf(t, uint8(i), 0, 0)
		c[fmt.Sprintf("val/a/%d.png", i)] = pngOf(t, uint8(i), 0, 0)
	}
	c["train/a/3.png"] = c["train/a/3.png"][:20]
	c["val/a/7.png"] = []byte("<html>not found</html>")
	dir := c.folder(t)
	s := open(t, dir, Options{})
	st, err := Check(t.Context(), s.Train, 2, nil)
	if err != nil || len(st.Corrupt) != 1 || !strings.HasSuffix(st.Corrupt[0].Name, "3.png") || !strings.HasPrefix(st.Corrupt[0].Err.Error(), dir) {
		t.Fatalf("the check gave %+v, %v", st, err)
	}
	s = open(t, dir, Options{SkipCorrupt: 2})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var m Image
			for _, ds := range []Dataset{s.Train, s.Val} {
				for i := range ds.Len() {
					if err := ds.Read(i, &m); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if got := s.Skipped(); len(got) != 2 {
		t.Errorf("skipped %v, want two samples", got)
	}
	if got := firstPixels(t, s.Val); got[7] != [3]uint8{0} {
		t.Errorf("the last sample was replaced by %v, want the first", got[7])
	}
	if s := open(t, dir, Options{SkipCorrupt: 1}); s.Train.Read(3, new(Image)) != nil || !errors.Is(s.Val.Read(7, new(Image)), ErrCorrupt) {
		t.Error("one corrupt sample should pass, the second not")
	}
}

func TestBalanced(t *testing.T) {
	ds, err := Subset(&fakeSet{values: make([]uint8, 9), classes: 3}, []int{0, 3, 6, 1, 4, 2}) // three of a class, two of the next, one of the last
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int][]int{0: nil, 2: {0, 3}, 5: {0, 3, 5, 1, 4}, 6: {0, 3, 5, 1, 4, 2}, 100: {0, 3, 5, 1, 4, 2}} {
		if got := Balanced(ds, n); !slices.Equal(got, want) {
			t.Errorf("%d samples are %v, want %v", n, got, want)
		}
	}
}

func TestSubset(t *testing.T) {
	ds := &fakeSet{values: ramp(6, 10), classes: 3}
	s, err := Subset(ds, []int{5, 0, 5})
	if err != nil {
		t.Fatal(err)
	}
	if got := firstPixels(t, s); !slices.Equal(got, [][3]uint8{{15}, {10}, {15}}) || s.Label(0) != 2 || s.Name(1) != "fake[0]" {
		t.Errorf("samples %v, label %d, name %s", got, s.Label(0), s.Name(1))
	}
	if !slices.Equal(Counts(s), []int{1, 0, 2}) {
		t.Errorf("counts %v", Counts(s))
	}
	for _, i := range []int{-1, 6} {
		if _, err := Subset(ds, []int{0, i}); err == nil {
			t.Errorf("sample %d of 6 was accepted", i)
		}
	}
}
