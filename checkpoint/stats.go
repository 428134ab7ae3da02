package checkpoint

import "math"

// Stats summarises the elements of a tensor. Min, Max, Mean and Std are over the finite elements, and zero if there are
// none; Std is the population's.
type Stats struct {
	Count int64   `json:"count"`
	Zeros int64   `json:"zeros"` // of either sign
	NaNs  int64   `json:"nans"`
	Infs  int64   `json:"infs"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	Mean  float64 `json:"mean"`
	Std   float64 `json:"std"`
}

// Finite tells whether the tensor has neither NaNs nor infinities.
func (s Stats) Finite() bool { return s.NaNs == 0 && s.Infs == 0 }

// Stats reads a tensor of any type and summarises it.
func (f *File) Stats(name string) (Stats, error) {
	t, err := f.Info(name)
	if err != nil {
		return Stats{}, err
	}
	var a accumulator
	c := codecs[t.DType]
	err = f.stream(t, func(b []byte) error {
		for ; len(b) > 0; b = b[c.size:] {
			a.add(c.value(b))
		}
		return nil
	})
	if err != nil {
		return Stats{}, err
	}
	return a.result(), nil
}

// An accumulator follows Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products"
// (Technometrics 4, 1962): one pass, and no cancellation when the mean is large against the deviation.
type accumulator struct {
	s  Stats
	n  float64 // finite elements
	m2 float64 // sum of squared deviations from the mean
}

func (a *accumulator) add(v float64) {
	s := &a.s
	s.Count++
	switch {
	case math.IsNaN(v):
		s.NaNs++
		return
	case math.IsInf(v, 0):
		s.Infs++
		return
	case v == 0:
		s.Zeros++
	}
	if a.n == 0 {
		s.Min, s.Max = v, v
	}
	a.n++
	s.Min, s.Max = min(s.Min, v), max(s.Max, v)
	d := v - s.Mean
	s.Mean += d / a.n
	a.m2 += d * (v - s.Mean)
}

func (a *accumulator) result() Stats {
	if a.n > 0 {
		a.s.Std = math.Sqrt(a.m2 / a.n)
	}
	return a.s
}
