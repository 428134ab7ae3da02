package ref_test

import (
	"math"
	"testing"

	"github.com/cnnctl/cnnctl/cpu/ref"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/philox"
)

// A rig is an oracle with some helpers to place operands.
type rig struct {
	t   *testing.T
	dev *ref.Device
	rnd *philox.Stream
}

func newRig(t *testing.T, seed int) *rig {
	return &rig{t, ref.New(), philox.New(1, philox.Test, seed, 0)}
}

// alloc returns n zeros.
func (r *rig) alloc(n int) device.Mem {
	r.t.Helper()
	m, err := r.dev.Alloc(4 * int64(n))
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// of returns memory that holds v.
func (r *rig) of(v ...float64) device.Mem {
	m := r.alloc(len(v))
	copy(r.dev.Float64s(m), v)
	return m
}

// normal returns n standard normal values.
func (r *rig) normal(n int) device.Mem {
	m := r.alloc(n)
	for i := range r.dev.Float64s(m) {
		r.dev.Float64s(m)[i] = r.rnd.Normal()
	}
	return m
}

// uniform returns n values of [lo, hi).
func (r *rig) uniform(n int, lo, hi float64) device.Mem {
	m := r.alloc(n)
	for i := range r.dev.Float64s(m) {
		r.dev.Float64s(m)[i] = r.rnd.Uniform(lo, hi)
	}
	return m
}

// run binds and runs calls.
func (r *rig) run(calls ...device.Call) {
	r.t.Helper()
	for _, c := range calls {
		step, err := r.dev.Bind(c)
		if err == nil {
			err = step()
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

// near reports whether a and b agree to tol, relative to the larger of them and 1.
func near(a, b, tol float64) bool {
	return math.Abs(a-b) <= tol*max(1, math.Abs(a), math.Abs(b))
}
