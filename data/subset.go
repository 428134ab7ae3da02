package data

import "fmt"

// Subset returns the samples of ds that index lists, in its order; a sample may occur more than once. The result keeps
// index. An index outside of ds is an error.
func Subset(ds Dataset, index []int) (Dataset, error) {
	for k, i := range index {
		if i < 0 || i >= ds.Len() {
			return nil, fmt.Errorf("subset: element %d asks for sample %d of a data set of %d", k, i, ds.Len())
		}
	}
	return &subset{ds, index}, nil
}

type subset struct {
	Dataset
	index []int
}

func (s *subset) Len() int                   { return len(s.index) }
func (s *subset) Label(i int) int            { return s.Dataset.Label(s.index[i]) }
func (s *subset) Name(i int) string          { return s.Dataset.Name(s.index[i]) }
func (s *subset) Read(i int, m *Image) error { return s.Dataset.Read(s.index[i], m) }

// ReadReduced implements Reducer.
func (s *subset) ReadReduced(i int, m *Image, reduce func(w, h int) int) error {
	return ReadReduced(s.Dataset, s.index[i], m, reduce)
}

// Balanced returns the indices of n samples that are taken from the classes in turn: the first of each class, then the second of each, and so on; of
// all samples, if there are not so many.
func Balanced(ds Dataset, n int) []int {
	byClass := make([][]int, len(ds.Classes()))
	for i := range ds.Len() {
		byClass[ds.Label(i)] = append(byClass[ds.Label(i)], i)
	}
	var picked []int
	for k := 0; len(picked) < min(n, ds.Len()); k++ {
		for _, of := range byClass {
			if k < len(of) && len(picked) < n {
				picked = append(picked, of[k])
			}
		}
	}
	return picked
}

// Counts returns the number of samples of each class.
func Counts(ds Dataset) []int {
	n := make([]int, len(ds.Classes()))
	for i := range ds.Len() {
		n[ds.Label(i)]++
	}
	return n
}
