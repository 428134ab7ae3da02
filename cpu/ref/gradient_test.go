package ref_test

import (
	"fmt"
	"testing"

	"github.com/cnnctl/cnnctl/device"
)

// A gradient is a pair of calls: Backward must compute the derivative of Forward.
type gradient struct {
	forward  []device.Call // writes out
	backward []device.Call // reads dout, writes the d of each pair
	out      device.Mem
	dout     device.Mem                           // zero if the output is a loss itself
	pairs    map[string]struct{ x, d device.Mem } // input and its gradient
}

// check compares every pair with central differences of sum(out*dout).
func (g gradient) check(t *testing.T, r *rig) {
	t.Helper()
	loss := func() float64 {
		r.run(g.forward...)
		if g.dout.IsZero() {
			return r.dev.Float64s(g.out)[0]
		}
		sum := 0.0
		for i, v := range r.dev.Float64s(g.out) {
			sum += v * r.dev.Float64s(g.dout)[i]
		}
		return sum
	}
	const h = 1e-5
	r.run(g.forward...)
	r.run(g.backward...)
	for name, p := range g.pairs {
		x, d := r.dev.Float64s(p.x), r.dev.Float64s(p.d)
		nonzero := false
		for i, x0 := range x {
			x[i] = x0 + h
			up := loss()
			x[i] = x0 - h
			down := loss()
			x[i] = x0
			if want := (up - down) / (2 * h); !near(d[i], want, 1e-7) {
				t.Errorf("d%s[%d] = %g, finite difference %g", name, i, d[i], want)
			}
			nonzero = nonzero || d[i] != 0
		}
		if !nonzero {
			t.Errorf("d%s is zero everywhere", name)
		}
	}
}

type pairs = map[string]struct{ x, d device.Mem }

// windows are geometries whose output sizes are floor or ceil of the usual formula.
var windows = []device.Window{
	{N: 2, H: 5, W: 6, C: 4, P: 3, Q: 4, R: 3, S: 3, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1},
	{N: 1, H: 5, W: 4, C: 4, P: 3, Q: 3, R: 3, S: 2, StrideH: 2, StrideW: 2, DilH: 1, DilW: 1, PadTop: 1, PadLeft: 1},
	{N: 2, H: 7, W: 6, C: 4, P: 3, Q: 5, R: 3, S: 2, StrideH: 2, StrideW: 1, DilH: 2, DilW: 3, PadTop: 2, PadLeft: 1},
	{N: 1, H: 2, W: 2, C: 4, P: 2, Q: 2, R: 4, S: 3, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, PadTop: 2, PadLeft: 1},
}

func TestConvGradient(t *testing.T) {
	for i, w := range windows {
		for _, groups := range []int{1, 2, 4} {
			t.Run(fmt.Sprintf("window %d groups %d", i, groups), func(t *testing.T) {
				r := newRig(t, i)
				v := device.Conv{Window: w, K: 8, Groups: groups}
				x, wt := r.normal(v.In()), r.normal(v.FilterLen())
				y, dy := r.alloc(v.Out(v.K)), r.normal(v.Out(v.K))
				dx, dw := r.alloc(v.In()), r.alloc(v.FilterLen())
				bias, db := r.normal(v.K), r.alloc(v.K)
				gradient{
					forward: []device.Call{device.ConvForward{Conv: v, X: x, Weight: wt, Y: y, Epilogue: device.Epilogue{Bias: bias}}},
					backward: []device.Call{
						device.ConvBackwardData{Conv: v, DY: dy, Weight: wt, DX: dx},
						device.ConvBackwardFilter{Conv: v, X: x, DY: dy, DWeight: dw},
						device.BiasGrad{Rows: v.N * v.P * v.Q, Cols: v.K, DY: dy, DB: db},
					},
					out: y, dout: dy, pairs: pairs{"x": {x, dx}, "weight": {wt, dw}, "bias": {bias, db}},
				}.check(t, r)
			})
		}
	}
}

func TestGemmGradient(t *testing.T) {
	const m, n, k = 3, 4, 5
	r := newRig(t, 0)
	a, b, c := r.normal(m*k), r.normal(k*n), r.alloc(m*n)
	dc, da, db := r.normal(m*n), r.alloc(m*k), r.alloc(k*n)
	gradient{
		forward: []device.Call{device.Gemm{M: m, N: n, K: k, TransB: true, A: a, B: b, C: c}},
		backward: []device.Call{
			device.Gemm{M: m, N: k, K: n, A: dc, B: b, C: da},
			device.Gemm{M: n, N: k, K: m, TransA: true, A: dc, B: a, C: db},
		},
		out: c, dout: dc, pairs: pairs{"a": {a, da}, "b": {b, db}},
	}.check(t, r)
}

func TestPoolGradient(t *testing.T) {
	for i, w := range windows {
		r := newRig(t, i)
		x, dx := r.normal(w.In()), r.alloc(w.In())
		y, arg, dy := r.alloc(w.Out(w.C)), r.alloc(w.Out(w.C)), r.normal(w.Out(w.C))
		p := pairs{"x": {x, dx}}
		t.Run(fmt.Sprintf("max window %d", i), func(t *testing.T) {
			gradient{
				forward:  []device.Call{device.MaxPoolForward{Window: w, X: x, Y: y, Arg: arg}},
				backward: []device.Call{device.MaxPoolBackward{Window: w, DY: dy, Arg: arg, DX: dx}},
				out:      y, dout: dy, pairs: p,
			}.check(t, r)
		})
		for _, exclude := range []bool{false, true} {
			t.Run(fmt.Sprintf("average window %d exclude padding %v", i, exclude), func(t *testing.T) {
				gradient{
					forward:  []device.Call{device.AvgPoolForward{Window: w, PadBottom: 1, PadRight: 1, ExcludePad: exclude, X: x, Y: y}},
					backward: []device.Call{device.AvgPoolBackward{Window: w, PadBottom: 1, PadRight: 1, ExcludePad: exclude, DY: dy, DX: dx}},
					out:      y, dout: dy, pairs: p,
				}.check(t, r)
			})
		}
	}
	for _, s := range [][4]int{{5, 7, 2, 3}, {4, 4, 1, 1}, {2, 3, 5, 4}, {6, 6, 6, 6}} {
		t.Run(fmt.Sprintf("adaptive %v", s), func(t *testing.T) {
			r := newRig(t, 0)
			h, w, p, q := s[0], s[1], s[2], s[3]
			x, dx := r.normal(2*h*w*3), r.alloc(2*h*w*3)
			y, dy := r.alloc(2*p*q*3), r.normal(2*p*q*3)
			gradient{
				forward:  []device.Call{device.AdaptiveAvgPoolForward{N: 2, H: h, W: w, C: 3, P: p, Q: q, X: x, Y: y}},
				backward: []device.Call{device.AdaptiveAvgPoolBackward{N: 2, H: h, W: w, C: 3, P: p, Q: q, DY: dy, DX: dx}},
				out:      y, dout: dy, pairs: pairs{"x": {x, dx}},
			}.check(t, r)
		})
	}
}

func TestActGradient(t *testing.T) {
	for a := device.Identity; a <= device.Sigmoid; a++ {
		t.Run(a.String(), func(t *testing.T) {
			const n = 100
			r := newRig(t, 0)
			x, dx, y, dy := r.uniform(n, -10, 10), r.alloc(n), r.alloc(n), r.normal(n)
			gradient{
				forward:  []device.Call{device.ActForward{N: n, Act: a, X: x, Y: y}},
				backward: []device.Call{device.ActBackward{N: n, Act: a, Y: y, DY: dy, DX: dx}},
				out:      y, dout: dy, pairs: pairs{"x": {x, dx}},
			}.check(t, r)
		})
	}
}

func TestDropoutGradient(t *testing.T) {
	const n = 50
	r := newRig(t, 0)
	x, dx, y, dy, hyper := r.normal(n), r.alloc(n), r.alloc(n), r.normal(n), r.alloc(device.HyperWords)
	var words [4 * device.HyperWords]byte
	device.Hyper{Step: 12345}.Encode(words[:])
	if err := r.dev.Upload(hyper, words[:]); err != nil {
		t.Fatal(err)
	}
	d := device.Dropout{N: n, P: 0.25, Seed: 1 << 40, Layer: 3, X: x, Y: y, Hyper: hyper}
	back := d
	back.X, back.Y = dy, dx
	gradient{
		forward: []device.Call{d}, backward: []device.Call{back},
		out: y, dout: dy, pairs: pairs{"x": {x, dx}},
	}.check(t, r)
}

func TestBatchNormGradient(t *testing.T) {
	const rows, ch, n = 7, 3, 21
	for act := device.Identity; act <= device.Sigmoid; act++ {
		r := newRig(t, int(act))
		x, y, dy, dx := r.normal(n), r.alloc(n), r.normal(n), r.alloc(n)
		residual, dResidual := r.normal(n), r.alloc(n)
		gamma, beta, dGamma, dBeta := r.normal(ch), r.normal(ch), r.alloc(ch), r.alloc(ch)
		runMean, runVar, mean, invStd := r.normal(ch), r.uniform(ch, 0.5, 2), r.alloc(ch), r.alloc(ch)
		p := pairs{"x": {x, dx}, "gamma": {gamma, dGamma}, "beta": {beta, dBeta}, "residual": {residual, dResidual}}
		back := device.EpilogueGradient{Act: act, Y: y, DResidual: dResidual}
		t.Run("training,"+act.String(), func(t *testing.T) {
			gradient{
				forward: []device.Call{device.BatchNormForward{Rows: rows, C: ch, Eps: 1e-3, Momentum: 0.1, X: x, Y: y, Residual: residual, Act: act,
					Gamma: gamma, Beta: beta, RunMean: r.alloc(ch), RunVar: r.alloc(ch), Mean: mean, InvStd: invStd}},
				backward: []device.Call{device.BatchNormBackward{EpilogueGradient: back, Rows: rows, C: ch, X: x, DY: dy, DX: dx,
					Gamma: gamma, Mean: mean, InvStd: invStd, DGamma: dGamma, DBeta: dBeta}},
				out: y, dout: dy, pairs: p,
			}.check(t, r)
		})
		t.Run("frozen,"+act.String(), func(t *testing.T) {
			gradient{
				forward: []device.Call{device.BatchNormInference{Rows: rows, C: ch, Eps: 1e-3, X: x, Y: y, Residual: residual, Act: act,
					Gamma: gamma, Beta: beta, RunMean: runMean, RunVar: runVar}},
				backward: []device.Call{device.BatchNormFrozenBackward{EpilogueGradient: back, Rows: rows, C: ch, Eps: 1e-3, X: x, DY: dy, DX: dx,
					Gamma: gamma, RunMean: runMean, RunVar: runVar, DGamma: dGamma, DBeta: dBeta}},
				out: y, dout: dy, pairs: p,
			}.check(t, r)
		})
	}
}

func TestBatchNormMaxPoolGradient(t *testing.T) {
	for i, w := range windows {
		if w.N*w.H*w.W < 2 {
			continue
		}
		for act := device.Identity; act <= device.Sigmoid; act++ {
			r := newRig(t, i)
			in, out, ch := w.In(), w.Out(w.C), w.C
			x, dx, y, dy, arg, largest := r.normal(in), r.alloc(in), r.alloc(out), r.normal(out), r.alloc(out), r.alloc(out)
			gamma, beta, dGamma, dBeta := r.normal(ch), r.normal(ch), r.alloc(ch), r.alloc(ch)
			mean, invStd := r.alloc(ch), r.alloc(ch)
			t.Run(fmt.Sprintf("window %d,%v", i, act), func(t *testing.T) {
				gradient{
					forward: []device.Call{device.BatchNormMaxPoolForward{Window: w, Eps: 1e-3, Momentum: 0.1, Act: act, X: x, Y: y, Arg: arg, Largest: largest,
						Gamma: gamma, Beta: beta, RunMean: r.alloc(ch), RunVar: r.alloc(ch), Mean: mean, InvStd: invStd}},
					backward: []device.Call{device.BatchNormMaxPoolBackward{Window: w, Act: act, X: x, DX: dx, Arg: arg, Largest: largest, Y: y, DY: dy,
						Gamma: gamma, Mean: mean, InvStd: invStd, DGamma: dGamma, DBeta: dBeta}},
					out: y, dout: dy, pairs: pairs{"x": {x, dx}, "gamma": {gamma, dGamma}, "beta": {beta, dBeta}},
				}.check(t, r)
			})
		}
	}
}

// A batch norm and a max-pooling in one call give what two calls give.
func TestBatchNormMaxPoolEqualsItsParts(t *testing.T) {
	for i, w := range windows {
		if w.N*w.H*w.W < 2 {
			continue
		}
		r := newRig(t, i)
		in, out, ch, rows := w.In(), w.Out(w.C), w.C, w.N*w.H*w.W
		x, dy, gamma, beta := r.normal(in), r.normal(out), r.normal(ch), r.normal(ch)
		var got, want []device.Mem
		result := func(list *[]device.Mem, n int) device.Mem {
			m := r.alloc(n)
			*list = append(*list, m)
			return m
		}
		f := device.BatchNormMaxPoolForward{Window: w, Eps: 1e-3, Momentum: 0.1, Act: device.ReLU, X: x, Gamma: gamma, Beta: beta, Largest: r.alloc(out),
			Y: result(&got, out), Arg: result(&got, out), RunMean: result(&got, ch), RunVar: result(&got, ch), Mean: result(&got, ch), InvStd: result(&got, ch)}
		r.run(f, device.BatchNormMaxPoolBackward{Window: w, Act: f.Act, X: x, Arg: f.Arg, Largest: f.Largest, Y: f.Y, DY: dy, Gamma: gamma, Mean: f.Mean,
			InvStd: f.InvStd, DX: result(&got, in), DGamma: result(&got, ch), DBeta: result(&got, ch)})
		normal, dNormal := r.alloc(in), r.alloc(in)
		p := device.MaxPoolForward{Window: w, X: normal, Y: result(&want, out), Arg: result(&want, out)}
		n := device.BatchNormForward{Rows: rows, C: ch, Eps: 1e-3, Momentum: 0.1, Act: device.ReLU, X: x, Y: normal, Gamma: gamma, Beta: beta,
			RunMean: result(&want, ch), RunVar: result(&want, ch), Mean: result(&want, ch), InvStd: result(&want, ch)}
		r.run(n, p, device.MaxPoolBackward{Window: w, DY: dy, Arg: p.Arg, DX: dNormal}, device.BatchNormBackward{
			EpilogueGradient: device.EpilogueGradient{Act: n.Act, Y: normal}, Rows: rows, C: ch, X: x, DY: dNormal, Gamma: gamma, Mean: n.Mean, InvStd: n.InvStd,
			DX: result(&want, in), DGamma: result(&want, ch), DBeta: result(&want, ch)})
		for k := range got {
			for j, v := range r.dev.Float64s(got[k]) {
				if u := r.dev.Float64s(want[k])[j]; !near(v, u, 1e-12) {
					t.Fatalf("window %d: element %d of result %d is %v, in two calls %v", i, j, k, v, u)
				}
			}
		}
	}
}

func TestLRNGradient(t *testing.T) {
	for _, size := range []int{1, 2, 5, 9} {
		t.Run(fmt.Sprint("size ", size), func(t *testing.T) {
			const rows, ch, n = 4, 7, 28
			r := newRig(t, size)
			x, y, scale, dy, dx := r.normal(n), r.alloc(n), r.alloc(n), r.normal(n), r.alloc(n)
			gradient{
				forward: []device.Call{device.LRNForward{Rows: rows, C: ch, Size: size, K: 2, Alpha: 0.3, Beta: 0.75, X: x, Y: y, Scale: scale}},
				backward: []device.Call{device.LRNBackward{Rows: rows, C: ch, Size: size, Alpha: 0.3, Beta: 0.75,
					X: x, Y: y, Scale: scale, DY: dy, DX: dx}},
				out: y, dout: dy, pairs: pairs{"x": {x, dx}},
			}.check(t, r)
		})
	}
}

func TestSoftmaxGradient(t *testing.T) {
	const rows, classes, n = 4, 6, 24
	r := newRig(t, 0)
	x, y, dy, dx := r.normal(n), r.alloc(n), r.normal(n), r.alloc(n)
	t.Run("softmax", func(t *testing.T) {
		gradient{
			forward:  []device.Call{device.Softmax{Rows: rows, Classes: classes, X: x, Y: y}},
			backward: []device.Call{device.SoftmaxBackward{Rows: rows, Classes: classes, Y: y, DY: dy, DX: dx}},
			out:      y, dout: dy, pairs: pairs{"x": {x, dx}},
		}.check(t, r)
	})
	targets := r.alloc(n) // row 0 one-hot, row 1 and 3 mixed, row 2 padding
	tv := r.dev.Float64s(targets)
	tv[3], tv[classes], tv[classes+5], tv[3*classes+1], tv[3*classes+2] = 1, 0.3, 0.7, 0.5, 0.5
	for _, smoothing := range []float32{0, 0.125} {
		t.Run(fmt.Sprint("cross-entropy, smoothing ", smoothing), func(t *testing.T) {
			stats := r.alloc(device.StatsWords)
			c := device.SoftmaxCrossEntropy{Rows: rows, Classes: classes, Smoothing: smoothing, Logits: x, Targets: targets, DLogits: dx, Stats: stats}
			forward := c
			forward.DLogits = device.Mem{}
			gradient{
				forward: []device.Call{forward}, backward: []device.Call{c},
				out: stats, pairs: pairs{"x": {x, dx}},
			}.check(t, r)
			if counted := r.dev.Float64s(stats)[3]; counted != 3 {
				t.Errorf("counted %g rows, want 3", counted)
			}
		})
	}
}
