package devicetest

import (
	"fmt"
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// slabs are parameter slabs: neighbouring, distant and tiny segments, gaps, frozen ends.
var slabs = []struct {
	n        int
	segments []device.Segment
}{
	{1, []device.Segment{{Off: 0, Len: 1, LRScale: 1}}},
	{200, []device.Segment{{Off: 0, Len: 65, LRScale: 1, Decay: 0.01}, {Off: 65, Len: 1, LRScale: 0.1}, {Off: 128, Len: 31, LRScale: 2, Decay: 0.5}}},
	{60000, []device.Segment{{Off: 64, Len: 33000, LRScale: 1, Decay: 1e-4}, {Off: 40000, Len: 7, LRScale: 1}, {Off: 40064, Len: 19000, LRScale: 0.5}}},
	{64, nil}, // everything is frozen
}

// clips are values of the gradient's norm and of its bound.
var clips = []struct {
	name          string
	norm, maxNorm float32
}{
	{"no clipping", 5, 0},
	{"clipped", 5, 1},
	{"within the bound", 0.5, 1},
	{"NaN", float32(math.NaN()), 0},
	{"infinite", float32(math.Inf(1)), 1},
}

// updateCases crosses slabs with clips. bind places what the optimiser needs beside the slab and returns the call; state places n
// words of optimiser state.
func updateCases(name string, h device.Hyper, bind func(u device.Update, state func(name string, f Fill) device.Mem) device.Call) []Case {
	var list []Case
	for _, s := range slabs {
		for _, c := range clips {
			list = append(list, Case{
				Name: fmt.Sprintf("%s,%d,%s", name, s.n, c.name),
				Call: func(o *Operands) device.Call {
					how := normalised
					if x := float64(c.norm); math.IsNaN(x) || math.IsInf(x, 0) || s.segments == nil {
						how = exact // nothing may change
					}
					return bind(device.Update{N: s.n, Segments: s.segments, MaxNorm: c.maxNorm,
						W: o.inoutAs(how, "W", s.n, Normal(1)), G: o.in("G", s.n, Normal(1)), Norm: o.in("Norm", 1, Constant(c.norm)),
						Hyper: o.in("Hyper", device.HyperWords, hyper(h))},
						func(name string, f Fill) device.Mem { return o.inoutAs(how, name, s.n, f) })
				},
			})
		}
	}
	return list
}

type state = func(name string, f Fill) device.Mem

func sgdCases() []Case {
	h := device.Hyper{Step: 3, LR: 0.1, Momentum: 0.9}
	plain := updateCases("SGD/plain", h, func(u device.Update, _ state) device.Call { return device.SGD{Update: u} })
	momentum := updateCases("SGD/momentum", h, func(u device.Update, v state) device.Call {
		return device.SGD{Update: u, V: v("V", Normal(1))}
	})
	nesterov := updateCases("SGD/Nesterov", h, func(u device.Update, v state) device.Call {
		return device.SGD{Update: u, Nesterov: true, V: v("V", Normal(1))}
	})
	return append(append(plain, momentum...), nesterov...)
}

func adamWCases() []Case {
	h := device.Hyper{Step: 7, LR: 0.01, Momentum: 0.9, Correct1: 1 - 0.43, Correct2: 0.008}
	return updateCases("AdamW/", h, func(u device.Update, v state) device.Call {
		return device.AdamW{Update: u, Beta2: 0.999, Eps: 1e-8, M: v("M", Normal(0.1)), V: v("V", Uniform(0, 0.01))}
	})
}

func rmsPropCases() []Case {
	h := device.Hyper{LR: 0.01, Momentum: 0.9}
	plain := updateCases("RMSprop/plain", h, func(u device.Update, v state) device.Call {
		return device.RMSprop{Update: u, Alpha: 0.99, Eps: 1e-8, S: v("S", Uniform(0, 1))}
	})
	momentum := updateCases("RMSprop/momentum", h, func(u device.Update, v state) device.Call {
		return device.RMSprop{Update: u, Alpha: 0.9, Eps: 1e-3, S: v("S", Uniform(0, 1)), V: v("V", Normal(1))}
	})
	return append(plain, momentum...)
}

func reductionCases() []Case {
	var ema, norm []Case
	for _, n := range lengths {
		ema = append(ema, Case{
			Name: fmt.Sprintf("EMA/%d", n),
			Call: func(o *Operands) device.Call {
				return device.EMA{N: n, E: o.inout("E", n, Normal(1)), W: o.in("W", n, Normal(1)),
					Hyper: o.in("Hyper", device.HyperWords, hyper(device.Hyper{EMADecay: 0.999}))}
			},
		})
		norm = append(norm, norm2Case(n, "normal", Normal(1)))
	}
	norm = append(norm,
		norm2Case(1000, "squares overflow", Normal(1e30)), norm2Case(1000, "squares vanish", Normal(1e-30)),
		norm2Case(1000, "NaN", sprinkled(Normal(1), 500, math.NaN())), norm2Case(1000, "infinite", sprinkled(Normal(1), 300, math.Inf(-1))))
	return append(ema, norm...)
}

func norm2Case(n int, name string, f Fill) Case {
	return Case{
		Name:  fmt.Sprintf("Norm2/%d,%s", n, name),
		Call:  func(o *Operands) device.Call { return device.Norm2{N: n, X: o.in("X", n, f), Y: o.out("Y", 1)} },
		Terms: n,
	}
}
