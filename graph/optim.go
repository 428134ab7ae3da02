package graph

import (
	"math"
	"slices"

	"github.com/cnnctl/cnnctl/device"
)

// Optimizer turns gradients into new weights. Its hyperparameters are fixed when a program is compiled, but for the learning rate, which
// comes with each step.
type Optimizer interface {
	// States names the slabs of optimiser state, for checkpoints: "momentum".
	States() []string
	// Call returns the call that updates u's slab with the given state.
	Call(u device.Update, state []device.Mem) device.Call
	// Hyper fills in what depends on the number of updates made before this one.
	Hyper(h *device.Hyper, updates int)
}

// SGD is stochastic gradient descent; see device.SGD.
type SGD struct {
	Momentum float32
	Nesterov bool
}

// States implements Optimizer.
func (s SGD) States() []string {
	if s.Momentum == 0 {
		return nil
	}
	return []string{"momentum"}
}

// Call implements Optimizer.
func (s SGD) Call(u device.Update, state []device.Mem) device.Call {
	c := device.SGD{Update: u, Nesterov: s.Nesterov && s.Momentum != 0}
	if len(state) > 0 {
		c.V = state[0]
	}
	return c
}

// Hyper implements Optimizer.
func (s SGD) Hyper(h *device.Hyper, _ int) { h.Momentum = s.Momentum }

// AdamW is Adam with decoupled weight decay; see device.AdamW. The usual values are 0.9, 0.999 and 1e-8.
type AdamW struct{ Beta1, Beta2, Eps float32 }

// States implements Optimizer.
func (AdamW) States() []string { return []string{"exp_avg", "exp_avg_sq"} }

// Call implements Optimizer.
func (a AdamW) Call(u device.Update, state []device.Mem) device.Call {
	return device.AdamW{Update: u, Beta2: a.Beta2, Eps: a.Eps, M: state[0], V: state[1]}
}

// Hyper implements Optimizer.
func (a AdamW) Hyper(h *device.Hyper, updates int) {
	t := float64(updates + 1)
	h.Momentum = a.Beta1
	h.Correct1 = float32(1 - math.Pow(float64(a.Beta1), t))
	h.Correct2 = float32(1 - math.Pow(float64(a.Beta2), t))
}

// RMSprop divides by a running root mean square of the gradient; see device.RMSprop.
type RMSprop struct{ Alpha, Eps, Momentum float32 }

// States implements Optimizer.
func (r RMSprop) States() []string {
	if r.Momentum == 0 {
		return []string{"square_avg"}
	}
	return []string{"square_avg", "momentum"}
}

// Call implements Optimizer.
func (r RMSprop) Call(u device.Update, state []device.Mem) device.Call {
	c := device.RMSprop{Update: u, Alpha: r.Alpha, Eps: r.Eps, S: state[0]}
	if len(state) > 1 {
		c.V = state[1]
	}
	return c
}

// Hyper implements Optimizer.
func (r RMSprop) Hyper(h *device.Hyper, _ int) { h.Momentum = r.Momentum }

// Group says how one parameter is trained.
type Group struct {
	LRScale float32 // multiplies the learning rate
	Decay   float32 // weight decay
}

// segments cuts the slab's trained part into runs that are trained alike. The elements between two parameters (alignment) are zero in every
// slab and stay so under any update, so neighbours in the same group become one run.
func segments(l *slabLayout, params []*Param, group func(*Param) Group) []device.Segment {
	var out []device.Segment
	inSlab := slices.DeleteFunc(slices.Clone(params), func(p *Param) bool { return !p.Trainable() })
	slices.SortFunc(inSlab, func(a, b *Param) int { return l.off[a.index] - l.off[b.index] })
	for _, p := range inSlab {
		g := group(p)
		if k := len(out) - 1; k >= 0 && out[k].LRScale == g.LRScale && out[k].Decay == g.Decay {
			out[k].Len = l.off[p.index] + p.Len() - out[k].Off
			continue
		}
		out = append(out, device.Segment{Off: l.off[p.index], Len: p.Len(), LRScale: g.LRScale, Decay: g.Decay})
	}
	return out
}
