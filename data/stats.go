package data

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

// Statistics describe a data set.
type Statistics struct {
	Samples  int   // in the data set
	PerClass []int // samples of each class
	Channels int

	Measured               int // samples that were decoded for what follows
	MinW, MaxW, MinH, MaxH int // pixels

	// Mean and Std are those of each channel, with values in 0..1. Each image weighs the same whatever its size, since
	// all are brought to one size for training; for images of one size this is the plain mean over pixels. Std is
	// over all pixels, not within images: sqrt(E[x^2] - E[x]^2).
	Mean, Std []float64

	Corrupt []BadSample // by index; only Check fills it
}

// Stats measures at most maxSamples samples of ds, evenly spaced over its order, on all processors. The result depends
// on nothing but ds and maxSamples. A corrupt sample among them is an error.
func Stats(ctx context.Context, ds Dataset, maxSamples int) (*Statistics, error) {
	n := min(max(maxSamples, 1), ds.Len())
	st, err := measure(ctx, ds, n, runtime.GOMAXPROCS(0), nil)
	if err != nil {
		return nil, err
	}
	if len(st.Corrupt) > 0 {
		return nil, st.Corrupt[0].Err
	}
	return st, nil
}

// Check reads every sample of ds with the given number of workers (at least one) and lists the corrupt ones. Other
// errors, such as those of a failing disk, end it. Progress, if not nil, is called from several goroutines with the
// number of samples read so far.
func Check(ctx context.Context, ds Dataset, workers int, progress func(done int)) (*Statistics, error) {
	return measure(ctx, ds, ds.Len(), workers, progress)
}

// measurement holds what one image adds to the statistics.
type measurement struct {
	w, h        int32
	mean, power [3]float64 // of values in 0..255, and of their squares
	err         error
}

// measure reads n of ds's samples. Workers take samples as they come, but each result has its own place and the sum is
// taken in order, so that it does not depend on the workers.
func measure(ctx context.Context, ds Dataset, n, workers int, progress func(done int)) (*Statistics, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	results := make([]measurement, n)
	sample := func(k int) int { return int(int64(k) * int64(ds.Len()) / int64(n)) }
	var next, done atomic.Int64
	var wg sync.WaitGroup
	for range min(max(workers, 1), max(n, 1)) {
		wg.Go(func() {
			var m Image
			for ctx.Err() == nil {
				k := int(next.Add(1) - 1)
				if k >= n {
					return
				}
				r := &results[k]
				if r.err = ds.Read(sample(k), &m); r.err == nil {
					r.add(&m)
				} else if !errors.Is(r.err, ErrCorrupt) {
					cancel(r.err)
				}
				if d := done.Add(1); progress != nil {
					progress(int(d))
				}
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	st := &Statistics{Samples: ds.Len(), PerClass: Counts(ds), Channels: ds.Channels()}
	for k := range results {
		if err := results[k].err; err != nil {
			st.Corrupt = append(st.Corrupt, BadSample{sample(k), ds.Name(sample(k)), err})
		}
	}
	st.summarise(results)
	return st, nil
}

func (r *measurement) add(m *Image) {
	r.w, r.h = int32(m.W), int32(m.H)
	n := float64(m.W) * float64(m.H)
	for ch := range min(m.C, len(r.mean)) {
		var sum, power uint64 // exact: 2^40 pixels fit
		for i := ch; i < len(m.Pix); i += m.C {
			v := uint64(m.Pix[i])
			sum += v
			power += v * v
		}
		r.mean[ch], r.power[ch] = float64(sum)/n, float64(power)/n
	}
}

// summarise combines the results without an error.
func (st *Statistics) summarise(results []measurement) {
	var mean, power [3]float64
	for _, r := range results {
		if r.err != nil {
			continue
		}
		w, h := int(r.w), int(r.h)
		if st.Measured == 0 {
			st.MinW, st.MinH = w, h
		}
		st.Measured++
		st.MinW, st.MaxW = min(st.MinW, w), max(st.MaxW, w)
		st.MinH, st.MaxH = min(st.MinH, h), max(st.MaxH, h)
		for ch := range mean {
			mean[ch] += r.mean[ch]
			power[ch] += r.power[ch]
		}
	}
	n := float64(max(st.Measured, 1))
	st.Mean, st.Std = make([]float64, st.Channels), make([]float64, st.Channels)
	for ch := range min(st.Channels, len(mean)) {
		mu := mean[ch] / n
		// The explicit conversion keeps the compiler from fusing the product, which would give other bits elsewhere.
		variance := power[ch]/n - float64(mu*mu)
		st.Mean[ch] = mu / 255
		st.Std[ch] = math.Sqrt(max(variance, 0)) / 255
	}
}
