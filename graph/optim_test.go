package graph

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/cnnctl/cnnctl/device"
)

// rule is an optimiser's update of one element in closed form: it returns the new weight and changes the state.
type rule func(w, g, lr, decay float64, t int, state []float64) float64

// The update rules as PyTorch's documentation writes them.
func TestOptimizers(t *testing.T) {
	// A device gets its constants as float32, corrections of AdamW included.
	f32 := func(v float64) float64 { return float64(float32(v)) }
	mu, b2, eps, alpha := f32(0.9), f32(0.99), f32(1e-3), f32(0.8)
	sgd := func(w, g, lr, decay float64, _ int, _ []float64) float64 { return w - lr*(g+decay*w) }
	momentum := func(w, g, lr, decay float64, _ int, s []float64) float64 {
		s[0] = mu*s[0] + g + decay*w
		return w - lr*s[0]
	}
	nesterov := func(w, g, lr, decay float64, _ int, s []float64) float64 {
		g += decay * w
		s[0] = mu*s[0] + g
		return w - lr*(g+mu*s[0])
	}
	adamw := func(w, g, lr, decay float64, t int, s []float64) float64 {
		w *= 1 - lr*decay
		s[0] = mu*s[0] + (1-mu)*g
		s[1] = b2*s[1] + (1-b2)*g*g
		m, v := s[0]/f32(1-math.Pow(mu, float64(t))), s[1]/f32(1-math.Pow(b2, float64(t)))
		return w - lr*m/(math.Sqrt(v)+eps)
	}
	rms := func(w, g, lr, decay float64, _ int, s []float64) float64 {
		g += decay * w
		s[0] = alpha*s[0] + (1-alpha)*g*g
		return w - lr*g/(math.Sqrt(s[0])+eps)
	}
	rmsMomentum := func(w, g, lr, decay float64, _ int, s []float64) float64 {
		g += decay * w
		s[0] = alpha*s[0] + (1-alpha)*g*g
		s[1] = mu*s[1] + g/(math.Sqrt(s[0])+eps)
		return w - lr*s[1]
	}
	for _, c := range []struct {
		name   string
		opt    Optimizer
		states []string
		rule   rule
	}{
		{"sgd", SGD{}, nil, sgd},
		{"nesterov without momentum", SGD{Nesterov: true}, nil, sgd},
		{"momentum", SGD{Momentum: 0.9}, []string{"momentum"}, momentum},
		{"nesterov", SGD{Momentum: 0.9, Nesterov: true}, []string{"momentum"}, nesterov},
		{"adamw", AdamW{0.9, 0.99, 1e-3}, []string{"exp_avg", "exp_avg_sq"}, adamw},
		{"rmsprop", RMSprop{Alpha: 0.8, Eps: 1e-3}, []string{"square_avg"}, rms},
		{"rmsprop with momentum", RMSprop{0.8, 1e-3, 0.9}, []string{"square_avg", "momentum"}, rmsMomentum},
	} {
		for _, clip := range []float32{0, 0.5, 1e6} {
			t.Run(fmt.Sprint(c.name, ", clip ", clip), func(t *testing.T) { checkOptimizer(t, c.opt, c.states, c.rule, clip) })
		}
	}
}

// groupOf gives every parameter of trunkAndHead one of several rates and decays, with equal neighbours and unequal ones.
func groupOf(p *Param) Group {
	switch {
	case !p.Decay:
		return Group{LRScale: 1}
	case inTrunk(p):
		return Group{LRScale: 0.25, Decay: 0.125}
	}
	return Group{LRScale: 1, Decay: 0.125}
}

func checkOptimizer(t *testing.T, opt Optimizer, states []string, update rule, clip float32) {
	const lr, emaDecay = 0.0625, 0.75
	g := trunkAndHead()
	g.Freeze(func(p *Param) bool { return p.Node().Name == "trunk.conv2" }) // in the middle, so that the slab is not in order
	r := newRig(t, g, TrainConfig{Batch: 4, Optimizer: opt, Group: groupOf, ClipNorm: clip, EMA: true})
	if got := r.tr.States(); !slices.Equal(got, states) {
		t.Fatalf("states %v, want %v", got, states)
	}
	at := func(p *Param, slab device.Mem) []float64 { return r.dev.Float64s(r.w.of(p, slab)) }
	state := map[*Param][][]float64{} // parameter, element, state
	average := map[*Param][]float64{}
	for _, p := range g.Params() {
		for range p.Len() {
			state[p] = append(state[p], make([]float64, len(states)))
		}
		average[p] = make([]float64, p.Len())
		for i, v := range at(p, r.w.slab) {
			average[p][i] = float64(float32(v)) // the average begins as a copy through the host
		}
	}
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-12*max(1, math.Abs(b)) }
	for step := range 4 {
		before := map[*Param][]float64{}
		for _, p := range g.Params() {
			before[p] = slices.Clone(at(p, r.w.slab))
		}
		if err := r.tr.Step(r.x, r.y, step, lr, emaDecay); err != nil {
			t.Fatal(err)
		}
		norm := 0.0
		for _, p := range g.Params() {
			if p.Trainable() {
				for _, v := range r.gradient(p) {
					norm += v * v
				}
			}
		}
		norm = math.Sqrt(norm)
		if got := r.dev.Float64s(r.tr.norm)[0]; !near(got, norm) {
			t.Fatalf("step %d: gradient norm %g, want %g", step, got, norm)
		}
		scale := 1.0
		if clip > 0 {
			scale = min(1, float64(clip)/(norm+1e-6))
		}
		if clip == 0.5 && scale == 1 {
			t.Fatalf("the norm of %g is not clipped: the check shows nothing", norm)
		}
		for _, p := range g.Params() {
			k := groupOf(p)
			got := at(p, r.w.slab)
			for i := range got {
				want := before[p][i]
				if p.Trainable() {
					want = update(want, scale*r.gradient(p)[i], lr*float64(k.LRScale), float64(k.Decay), step+1, state[p][i])
				} else if p.Stat {
					want = got[i] // package device's tests have the running statistics
				}
				if !near(got[i], want) {
					t.Fatalf("step %d: %s[%d] is %.15g, want %.15g", step, p.Name, i, got[i], want)
				}
				average[p][i] = emaDecay*average[p][i] + (1-emaDecay)*got[i]
				if e := at(p, r.tr.EMA().slab)[i]; !near(e, average[p][i]) {
					t.Fatalf("step %d: average of %s[%d] is %.15g, want %.15g", step, p.Name, i, e, average[p][i])
				}
				for s := range states {
					if p.Trainable() && !near(at(p, r.tr.state[s])[i], state[p][i][s]) {
						t.Fatalf("step %d: %s of %s[%d] is %.15g, want %.15g", step, states[s], p.Name, i, at(p, r.tr.state[s])[i], state[p][i][s])
					}
				}
			}
		}
	}
}

// A step whose gradient is not finite changes neither weights nor state.
func TestDivergedStepChangesNothing(t *testing.T) {
	for _, opt := range []Optimizer{SGD{Momentum: 0.9}, AdamW{0.9, 0.999, 1e-8}, RMSprop{0.9, 1e-8, 0.9}} {
		r := newRig(t, trunkAndHead(), TrainConfig{Batch: 2, Optimizer: opt})
		if err := r.tr.Step(r.x, r.y, 0, 0.1, 0); err != nil {
			t.Fatal(err)
		}
		before := r.trained()
		r.x[0] = float32(math.Inf(1))
		if err := r.tr.Step(r.x, r.y, 1, 0.1, 0); err != nil {
			t.Fatal(err)
		}
		if _, norm, err := r.tr.Stats(); err != nil || !math.IsNaN(float64(norm)) {
			t.Errorf("%T: norm %v, %v, want NaN", opt, norm, err)
		}
		if !slices.Equal(r.trained(), before) {
			t.Errorf("%T: a step with a gradient that is not finite changed weights or state", opt)
		}
	}
}

// State that is read, written into another training and read again continues as if nothing had happened.
func TestStateMoves(t *testing.T) {
	c := TrainConfig{Batch: 2, Optimizer: AdamW{0.9, 0.999, 1e-8}}
	a, b := newRig(t, trunkAndHead(), c), newRig(t, trunkAndHead(), c)
	for i := range 3 {
		if err := a.tr.Step(a.x, a.y, i, 0.01, 0); err != nil {
			t.Fatal(err)
		}
	}
	for i, p := range a.g.Params() {
		q := b.g.Params()[i]
		v, err := buffer32(p, func(v []float32) error { return a.w.Get(p, v) })
		if err == nil {
			err = b.w.Set(q, v)
		}
		if err != nil {
			t.Fatal(err)
		}
		for s := range a.tr.States() {
			if p.Stat {
				continue
			}
			v, err := buffer32(p, func(v []float32) error { return a.tr.GetState(s, p, v) })
			if err == nil {
				err = b.tr.SetState(s, q, v)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	// The oracle keeps float64, of which the transfer keeps float32: the next losses agree to that.
	for i := 3; i < 5; i++ {
		for _, r := range []*rig{a, b} {
			if err := r.tr.Step(r.x, r.y, i, 0.01, 0); err != nil {
				t.Fatal(err)
			}
		}
		la, lb := a.dev.Float64s(a.tr.stats)[0], b.dev.Float64s(b.tr.stats)[0]
		if math.Abs(la-lb) > 1e-5*la {
			t.Errorf("step %d: loss %.9g and %.9g", i, la, lb)
		}
	}
}
