package graph

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// The results of many steps come in order, each once.
func TestResults(t *testing.T) {
	r := newRig(t, trunkAndHead(), TrainConfig{Batch: 2})
	var losses []float32
	step := 250 // the slots are used round and round
	start := func(n int) {
		for range n {
			r.param("head.fc2.bias")[0] += 0.25
			losses = append(losses, float32(r.stepAt(step)))
			step++
		}
	}
	var got []StepResult
	for _, n := range []int{1, 3, 0, 9} {
		start(n)
		list, err := r.tr.Results()
		if err != nil || len(list) != n || r.tr.Unread() != 0 {
			t.Fatalf("%d results, %v, and %d left, want %d", len(list), err, r.tr.Unread(), n)
		}
		got = append(got, list...)
	}
	for i, s := range got {
		if s.Step != 250+i || s.Loss != losses[i] || s.Rows != 2 || !(s.Norm > 0) {
			t.Errorf("result %d is %+v, want step %d with loss %v on 2 rows", i, s, 250+i, losses[i])
		}
	}
	start(2)
	if s, _, err := r.tr.Stats(); err != nil || s.Loss != losses[len(losses)-1] || r.tr.Unread() != 0 {
		t.Errorf("the last step has %+v, %v, want loss %v", s, err, losses[len(losses)-1])
	}
	step += 100 // as in a run that is continued
	start(2)
	if list, err := r.tr.Results(); err != nil || len(list) != 2 || list[1].Step != step-1 {
		t.Errorf("after a jump: %+v, %v", list, err)
	}
	start(MaxUnread + 1)
	if _, err := r.tr.Results(); err == nil || !strings.Contains(err.Error(), "wanted at most 256") {
		t.Errorf("%d steps without a look: got error %v", MaxUnread+1, err)
	}
}

// stepAt is step for a step number.
func (r *rig) stepAt(updates int) float64 {
	r.t.Helper()
	if err := r.tr.Step(r.x, r.y, updates, 0, 0); err != nil {
		r.t.Fatal(err)
	}
	return r.dev.Float64s(r.tr.stats)[0]
}

// After a step that diverged no later one changes weights or state, though its own batch is sound; and the layer is found from the batch of
// the step that did.
func TestNothingChangesAfterDivergence(t *testing.T) {
	for _, opt := range []Optimizer{SGD{Momentum: 0.9}, AdamW{0.9, 0.999, 1e-8}, RMSprop{0.9, 1e-8, 0.9}} {
		r := newRig(t, trunkAndHead(), TrainConfig{Batch: 2, Optimizer: opt})
		train := func(step int, x0 float32) {
			r.x[0] = x0
			if err := r.tr.Step(r.x, r.y, step, 0.1, 0); err != nil {
				t.Fatal(err)
			}
		}
		train(0, 1)
		before := r.trained()
		train(1, float32(math.Inf(1)))
		train(2, 1)
		train(3, 1)
		if !slices.Equal(r.trained(), before) {
			t.Errorf("%T: weights or state changed after a step that diverged", opt)
		}
		list, err := r.tr.Results()
		if err != nil || len(list) != 4 {
			t.Fatalf("%T: %d results, %v, want 4", opt, len(list), err)
		}
		for i, s := range list {
			if bad := s.Norm-s.Norm != 0; bad != (i == 1) {
				t.Errorf("%T: step %d has gradient norm %v", opt, i, s.Norm)
			}
		}
		r.x[0] = float32(math.Inf(1))
		if err := errors.Join(r.tr.Feed(r.x, r.y), r.tr.Load(1)); err != nil {
			t.Fatal(err)
		}
		if got, err := r.tr.FindNonFinite(); err != nil || got != "the input batch" {
			t.Errorf("%T: %q, %v, want the input batch", opt, got, err)
		}
	}
}

// trained returns the weights that are trained, and the optimiser's state.
func (r *rig) trained() []float64 {
	v := slices.Clone(r.dev.Float64s(r.w.slab)[:r.w.trained])
	for _, s := range r.tr.state {
		v = append(v, r.dev.Float64s(s)...)
	}
	return v
}
