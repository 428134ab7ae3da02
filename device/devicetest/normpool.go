package devicetest

import (
	"fmt"
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// batchNormMaxPoolCases are batch norms over some windows. Their positions are compared exactly: no two values of these windows come so close that float32 and
// float64 disagree about which is larger, but where ReLU makes both of them 0.
func batchNormMaxPoolCases() []Case {
	shapes := append([]shape{
		{n: 2, h: 12, w: 10, c: 64, r: 3, s: 3, sh: 2, sw: 2, top: 1, left: 1, bottom: 1, right: 1},  // ResNet
		{n: 3, h: 17, w: 16, c: 130, r: 3, s: 3, sh: 2, sw: 2, top: 1, left: 1, bottom: 1, right: 1}, // more channels than fit a vector, rows that no task begins with
	}, poolShapes...)
	acts := []device.Act{device.ReLU, device.Identity, device.ReLU6, device.Tanh, device.Sigmoid}
	var forward, backward []Case
	for i, s := range shapes {
		if s.n*s.h*s.w < 2 {
			continue
		}
		for j := range 2 {
			act := acts[(2*i+3*j)%len(acts)]
			forward = append(forward, batchNormMaxPoolForward(s, act, act.String(), Normal(1)))
		}
		if i%4 == 0 {
			forward = append(forward, batchNormMaxPoolForward(s, device.Identity, "-Inf", sprinkled(Normal(1), 3, math.Inf(-1))))
		}
		for j, v := range pooledNormGradients {
			backward = append(backward, batchNormMaxPoolBackward(s, acts[(i+2*j)%len(acts)], v))
		}
	}
	return append(forward, backward...)
}

func batchNormMaxPoolForward(s shape, act device.Act, name string, beta Fill) Case {
	w := s.window()
	return Case{
		Name: fmt.Sprintf("BatchNormMaxPoolForward/%v,%s", s, name),
		Call: func(o *Operands) device.Call {
			a, c := o.act(), w.C
			return device.BatchNormMaxPoolForward{Window: w, Eps: 1e-5, Momentum: 0.1, Type: a.typ, Act: act,
				X: a.in("X", w.In(), Normal(2)), Y: a.out("Y", w.Out(c)), Arg: o.outAs(exact, "Arg", w.Out(c)), Largest: a.outAs(exact, "Largest", w.Out(c)),
				Gamma: o.in("Gamma", c, Normal(1)), Beta: o.in("Beta", c, beta), RunMean: o.inout("RunMean", c, Normal(1)),
				RunVar: o.inout("RunVar", c, Uniform(0.5, 2)), Mean: o.out("Mean", c), InvStd: o.out("InvStd", c)}
		},
		Terms: w.N * w.H * w.W,
	}
}

type pooledNormGradient struct {
	name                           string
	accumulate, inPlace, withoutDX bool
}

// pooledNormGradients are what is accumulated, absent, or shares memory.
var pooledNormGradients = []pooledNormGradient{{name: "plain"}, {name: "acc", accumulate: true}, {name: "in place", inPlace: true}, {name: "without DX", withoutDX: true}}

func batchNormMaxPoolBackward(s shape, act device.Act, v pooledNormGradient) Case {
	w := s.window()
	return Case{
		Name: fmt.Sprintf("BatchNormMaxPoolBackward/%v,%v,%s", s, act, v.name),
		Call: func(o *Operands) device.Call {
			a, in, out, c := o.act(), w.In(), w.Out(w.C), w.C
			params := v.accumulate || v.withoutDX
			g := device.BatchNormMaxPoolBackward{Window: w, Type: a.typ, Act: act, Accumulate: v.accumulate, AccumulateParams: params,
				Arg: o.in("Arg", out, positions(w)), Largest: a.in("Largest", out, Normal(1)),
				DY:    a.in("DY", out, Uniform(-1, 2)), // so that the sum of a lone channel is not that of a cancellation
				Gamma: o.in("Gamma", c, Normal(1)), Mean: o.in("Mean", c, Normal(0.1)), InvStd: o.in("InvStd", c, Uniform(0.5, 2)),
				DGamma: o.result("DGamma", c, params), DBeta: o.result("DBeta", c, params)}
			if act != device.Identity {
				g.Y = a.in("Y", out, activations(act))
			}
			if v.inPlace {
				g.X = a.inout("X", in, Normal(1))
				g.DX = g.X
				return g
			}
			g.X = a.in("X", in, Normal(1))
			if !v.withoutDX {
				g.DX = a.result("DX", in, v.accumulate)
			}
			return g
		},
		Terms: w.N * w.H * w.W,
	}
}
