package data

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// A BadSample is a sample that cannot be read.
type BadSample struct {
	Index int    // in its data set
	Name  string // Dataset.Name of it
	Err   error  // wraps ErrCorrupt
}

// A Tolerance lets a number of corrupt samples pass. One may be shared by several data sets, whose corrupt samples
// then count together.
//
// Reading a corrupt sample gives the next readable one of the same class, in the data set's order and starting over at
// the end. What a sample is replaced by is thus a property of the data: it does not depend on the order in which
// workers come across it, nor on whether a run was resumed. Each corrupt sample counts once.
type Tolerance struct {
	max int
	n   atomic.Int64
	mu  sync.Mutex
	bad []BadSample
}

// NewTolerance tolerates at most max corrupt samples; a negative max counts as 0.
func NewTolerance(max int) *Tolerance { return &Tolerance{max: max} }

// Skipped lists the corrupt samples found so far, ordered by name.
func (t *Tolerance) Skipped() []BadSample {
	t.mu.Lock()
	defer t.mu.Unlock()
	bad := slices.Clone(t.bad)
	slices.SortFunc(bad, func(a, b BadSample) int { return strings.Compare(a.Name, b.Name) })
	return bad
}

// add counts a corrupt sample and tells whether that is still tolerated.
func (t *Tolerance) add(b BadSample) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.bad) >= t.max {
		return fmt.Errorf("%w (%d corrupt samples are tolerated, and this is one too many)", b.Err, t.max)
	}
	t.bad = append(t.bad, b)
	t.n.Store(int64(len(t.bad)))
	return nil
}

// Wrap returns ds with its corrupt samples replaced. Read returns the error of a corrupt sample once there are too many,
// or when all samples of its class are corrupt.
func (t *Tolerance) Wrap(ds Dataset) Dataset {
	s := &tolerant{Dataset: ds, t: t, next: make([]int32, ds.Len()), bad: map[int]bool{}}
	first := make([]int32, len(ds.Classes()))
	last := make([]int32, len(first))
	for c := range first {
		first[c] = -1
	}
	for i := range s.next {
		c := ds.Label(i)
		if first[c] < 0 {
			first[c] = int32(i)
		} else {
			s.next[last[c]] = int32(i)
		}
		last[c] = int32(i)
		s.next[i] = first[c]
	}
	return s
}

type tolerant struct {
	Dataset
	t    *Tolerance
	next []int32 // the next sample of the same class, cyclic
	mu   sync.RWMutex
	bad  map[int]bool
}

func (s *tolerant) Read(i int, m *Image) error { return s.ReadReduced(i, m, nil) }

// ReadReduced implements Reducer.
func (s *tolerant) ReadReduced(i int, m *Image, reduce func(w, h int) int) error {
	var err error
	for j := i; ; {
		if !s.isBad(j) {
			if err = ReadReduced(s.Dataset, j, m, reduce); err == nil || !errors.Is(err, ErrCorrupt) {
				return err
			}
			if err := s.note(j, err); err != nil {
				return err
			}
		}
		if j = int(s.next[j]); j == i {
			return fmt.Errorf("%s: %w: neither it nor any other sample of class %s can be read", s.Name(i), ErrCorrupt, s.Classes()[s.Label(i)])
		}
	}
}

func (s *tolerant) isBad(i int) bool {
	if s.t.n.Load() == 0 { // as a rule: no lock is taken
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.bad[i]
}

// note counts sample i unless another goroutine did so meanwhile.
func (s *tolerant) note(i int, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bad[i] {
		return nil
	}
	if err := s.t.add(BadSample{Index: i, Name: s.Name(i), Err: err}); err != nil {
		return err
	}
	s.bad[i] = true
	return nil
}
