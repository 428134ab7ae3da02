package ref_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/cnnctl/cnnctl/device"
)

// fixture is one entry of testdata/pytorch.json, which scripts/oracle-fixtures.py writes.
type fixture struct {
	Kind, Name string
	Attrs      json.RawMessage
	Tensors    map[string][]float64
}

// compareFunc runs one fixture: it places operands in r and returns them, by the names of the tensors that they must equal.
type compareFunc func(r *rig, f fixture) map[string]device.Mem

var compareKinds = map[string]compareFunc{
	"conv": compareConv, "maxpool": compareMaxPool, "avgpool": compareAvgPool, "adaptive": compareAdaptive, "batchnorm": compareBatchNorm,
	"lrn": compareLRN, "act": compareAct, "crossentropy": compareCrossEntropy,
	"sgd": compareOptimiser, "adamw": compareOptimiser, "rmsprop": compareOptimiser,
}

// The oracle agrees with PyTorch in float64, to the 12 digits of the file.
func TestPyTorch(t *testing.T) {
	raw, err := os.ReadFile("testdata/pytorch.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []fixture }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range file.Cases {
		seen[f.Kind] = true
		t.Run(f.Kind+"/"+f.Name, func(t *testing.T) {
			compare := compareKinds[f.Kind]
			if compare == nil {
				t.Fatalf("no comparison of this kind")
			}
			r := newRig(t, 0)
			for name, m := range compare(r, f) {
				got, want := r.dev.Float64s(m), f.Tensors[name]
				if len(want) == 0 || len(got) < len(want) {
					t.Errorf("%s: %d elements, PyTorch has %d", name, len(got), len(want))
					continue
				}
				for i, w := range want {
					if !near(got[i], w, 1e-10) {
						t.Errorf("%s[%d] = %.14g, PyTorch has %.14g", name, i, got[i], w)
						break
					}
				}
			}
		})
	}
	for kind := range compareKinds {
		if !seen[kind] {
			t.Errorf("the file has no case of kind %s", kind)
		}
	}
}

// attrs decodes the attributes of a fixture.
func attrs[T any](r *rig, f fixture) T {
	var v T
	if err := json.Unmarshal(f.Attrs, &v); err != nil {
		r.t.Fatal(err)
	}
	return v
}

// in places a tensor of the fixture, like places zeros in its size.
func (r *rig) in(f fixture, name string) device.Mem   { return r.of(f.Tensors[name]...) }
func (r *rig) like(f fixture, name string) device.Mem { return r.alloc(len(f.Tensors[name])) }

func compareConv(r *rig, f fixture) map[string]device.Mem {
	v := attrs[device.Conv](r, f)
	x, w, dy := r.in(f, "x"), r.in(f, "weight"), r.in(f, "dy")
	y, dx, dw, db := r.like(f, "y"), r.like(f, "dx"), r.like(f, "dweight"), r.like(f, "dbias")
	r.run(
		device.ConvForward{Conv: v, X: x, Weight: w, Y: y, Epilogue: device.Epilogue{Bias: r.in(f, "bias")}},
		device.ConvBackwardData{Conv: v, DY: dy, Weight: w, DX: dx},
		device.ConvBackwardFilter{Conv: v, X: x, DY: dy, DWeight: dw},
		device.BiasGrad{Rows: v.N * v.P * v.Q, Cols: v.K, DY: dy, DB: db},
	)
	return map[string]device.Mem{"y": y, "dx": dx, "dweight": dw, "dbias": db}
}

func compareMaxPool(r *rig, f fixture) map[string]device.Mem {
	v := attrs[device.Window](r, f)
	y, arg, dx := r.like(f, "y"), r.like(f, "y"), r.like(f, "dx")
	r.run(
		device.MaxPoolForward{Window: v, X: r.in(f, "x"), Y: y, Arg: arg},
		device.MaxPoolBackward{Window: v, DY: r.in(f, "dy"), Arg: arg, DX: dx},
	)
	return map[string]device.Mem{"y": y, "dx": dx}
}

func compareAvgPool(r *rig, f fixture) map[string]device.Mem {
	v := attrs[device.AvgPoolForward](r, f)
	dx := r.like(f, "dx")
	v.X, v.Y = r.in(f, "x"), r.like(f, "y")
	r.run(v, device.AvgPoolBackward{Window: v.Window, PadBottom: v.PadBottom, PadRight: v.PadRight, ExcludePad: v.ExcludePad,
		DY: r.in(f, "dy"), DX: dx})
	return map[string]device.Mem{"y": v.Y, "dx": dx}
}

func compareAdaptive(r *rig, f fixture) map[string]device.Mem {
	v := attrs[device.AdaptiveAvgPoolForward](r, f)
	dx := r.like(f, "dx")
	v.X, v.Y = r.in(f, "x"), r.like(f, "y")
	r.run(v, device.AdaptiveAvgPoolBackward{N: v.N, H: v.H, W: v.W, C: v.C, P: v.P, Q: v.Q, DY: r.in(f, "dy"), DX: dx})
	return map[string]device.Mem{"y": v.Y, "dx": dx}
}

func compareBatchNorm(r *rig, f fixture) map[string]device.Mem {
	a := attrs[struct {
		Rows, C       int
		Training      bool
		Momentum, Eps float32
	}](r, f)
	x, dy, gamma, beta := r.in(f, "x"), r.in(f, "dy"), r.in(f, "gamma"), r.in(f, "beta")
	runMean, runVar := r.in(f, "mean0"), r.in(f, "var0")
	y, dx, dGamma, dBeta := r.like(f, "y"), r.like(f, "dx"), r.like(f, "dgamma"), r.like(f, "dbeta")
	if a.Training {
		mean, invStd := r.alloc(a.C), r.alloc(a.C)
		r.run(
			device.BatchNormForward{Rows: a.Rows, C: a.C, Eps: a.Eps, Momentum: a.Momentum, X: x, Y: y, Gamma: gamma, Beta: beta,
				RunMean: runMean, RunVar: runVar, Mean: mean, InvStd: invStd},
			device.BatchNormBackward{Rows: a.Rows, C: a.C, X: x, DY: dy, DX: dx, Gamma: gamma, Mean: mean, InvStd: invStd, DGamma: dGamma, DBeta: dBeta},
		)
	} else {
		r.run(
			device.BatchNormInference{Rows: a.Rows, C: a.C, Eps: a.Eps, X: x, Y: y, Gamma: gamma, Beta: beta, RunMean: runMean, RunVar: runVar},
			device.BatchNormFrozenBackward{Rows: a.Rows, C: a.C, Eps: a.Eps, X: x, DY: dy, DX: dx, Gamma: gamma, RunMean: runMean, RunVar: runVar,
				DGamma: dGamma, DBeta: dBeta},
		)
	}
	return map[string]device.Mem{"y": y, "dx": dx, "dgamma": dGamma, "dbeta": dBeta, "mean": runMean, "var": runVar}
}

func compareLRN(r *rig, f fixture) map[string]device.Mem {
	v := attrs[device.LRNForward](r, f)
	dx := r.like(f, "dx")
	v.X, v.Y, v.Scale = r.in(f, "x"), r.like(f, "y"), r.like(f, "y")
	r.run(v, device.LRNBackward{Rows: v.Rows, C: v.C, Size: v.Size, Alpha: v.Alpha, Beta: v.Beta, X: v.X, Y: v.Y, Scale: v.Scale,
		DY: r.in(f, "dy"), DX: dx})
	return map[string]device.Mem{"y": v.Y, "dx": dx}
}

func compareAct(r *rig, f fixture) map[string]device.Mem {
	act := map[string]device.Act{"relu": device.ReLU, "relu6": device.ReLU6, "tanh": device.Tanh, "sigmoid": device.Sigmoid}[f.Name]
	n := len(f.Tensors["x"])
	y, dx := r.like(f, "y"), r.like(f, "dx")
	r.run(
		device.ActForward{N: n, Act: act, X: r.in(f, "x"), Y: y},
		device.ActBackward{N: n, Act: act, Y: y, DY: r.in(f, "dy"), DX: dx},
	)
	return map[string]device.Mem{"y": y, "dx": dx}
}

func compareCrossEntropy(r *rig, f fixture) map[string]device.Mem {
	v := attrs[device.SoftmaxCrossEntropy](r, f)
	v.Logits, v.Targets, v.DLogits, v.Stats = r.in(f, "logits"), r.in(f, "targets"), r.like(f, "dlogits"), r.alloc(device.StatsWords)
	p := r.like(f, "p")
	r.run(v, device.Softmax{Rows: v.Rows, Classes: v.Classes, X: v.Logits, Y: p})
	return map[string]device.Mem{"loss": v.Stats.Slice(0, 4), "dlogits": v.DLogits, "p": p}
}

// compareOptimiser takes several steps; "w" holds the weights after each of them.
func compareOptimiser(r *rig, f fixture) map[string]device.Mem {
	a := attrs[struct {
		N, Steps                     int
		LR, Decay, Momentum, MaxNorm float32
		Nesterov                     bool
		Beta2, Alpha, Eps            float32
	}](r, f)
	w, g, norm, hyper := r.in(f, "w0"), r.alloc(a.N), r.alloc(1), r.alloc(device.HyperWords)
	first, second := r.alloc(a.N), r.alloc(a.N)
	u := device.Update{N: a.N, W: w, G: g, Norm: norm, Hyper: hyper, MaxNorm: a.MaxNorm, Segments: []device.Segment{
		{Off: 0, Len: a.N / 2, LRScale: 1, Decay: a.Decay}, {Off: a.N / 2, Len: a.N / 2, LRScale: 0.5},
	}}
	momentum := first
	if a.Momentum == 0 {
		momentum = device.Mem{}
	}
	update := map[string]device.Call{
		"sgd":     device.SGD{Update: u, Nesterov: a.Nesterov, V: momentum},
		"adamw":   device.AdamW{Update: u, Beta2: a.Beta2, Eps: a.Eps, M: first, V: second},
		"rmsprop": device.RMSprop{Update: u, Alpha: a.Alpha, Eps: a.Eps, S: second, V: momentum},
	}[f.Kind]
	var history []float64
	power1, power2 := float32(1), float32(1)
	for step := range a.Steps {
		copy(r.dev.Float64s(g), f.Tensors["g"][step*a.N:])
		power1 *= a.Momentum
		power2 *= a.Beta2
		var words [4 * device.HyperWords]byte
		device.Hyper{Step: uint32(step), LR: a.LR, Momentum: a.Momentum, Correct1: 1 - power1, Correct2: 1 - power2}.Encode(words[:])
		if err := r.dev.Upload(hyper, words[:]); err != nil {
			r.t.Fatal(err)
		}
		r.run(device.Norm2{N: a.N, X: g, Y: norm}, update)
		history = append(history, r.dev.Float64s(w)...)
	}
	return map[string]device.Mem{"w": r.of(history...)}
}
