package cpu

import (
	"testing"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/philox"
)

// A netBuilder binds the calls of a small network: just enough of a planner for a benchmark.
type netBuilder struct {
	tb       testing.TB
	d        *Device
	rnd      *philox.Stream
	forward  []device.Step
	backward []device.Step // in the order of the layers; they run in reverse
}

func (n *netBuilder) alloc(floats int) device.Mem {
	m, err := n.d.Alloc(4 * int64(floats))
	if err != nil {
		n.tb.Fatal(err)
	}
	return m
}

func (n *netBuilder) random(floats int) device.Mem {
	m := n.alloc(floats)
	v, _ := n.d.floats(m)
	for i := range v {
		v[i] = float32(n.rnd.Normal() / 10)
	}
	return m
}

func (n *netBuilder) bind(c device.Call) device.Step {
	if w, ok := c.(device.WorkspaceCall); ok {
		if need := n.d.Workspace(w); need > 0 {
			c = w.WithWorkspace(n.alloc(int(need / 4)))
		}
	}
	s, err := n.d.Bind(c)
	if err != nil {
		n.tb.Fatal(err)
	}
	return s
}

// A tensor is an activation with its gradient; the gradient of the network's input is absent.
type tensor struct{ x, d device.Mem }

func (n *netBuilder) tensor(floats int) tensor { return tensor{n.alloc(floats), n.alloc(floats)} }

// tanhBackward appends an activation's backward pass, which turns the gradient of y into that of its input in place.
func (n *netBuilder) tanhBackward(y tensor, size int) {
	n.backward = append(n.backward, n.bind(device.ActBackward{N: size, Act: device.Tanh, Y: y.x, DY: y.d, DX: y.d}))
}

func (n *netBuilder) conv(in tensor, v device.Conv) tensor {
	y := n.tensor(v.Out(v.K))
	w, dw, bias, db := n.random(v.FilterLen()), n.alloc(v.FilterLen()), n.random(v.K), n.alloc(v.K)
	n.forward = append(n.forward, n.bind(device.ConvForward{Conv: v, X: in.x, Weight: w, Y: y.x, Epilogue: device.Epilogue{Bias: bias, Act: device.Tanh}}))
	if !in.d.IsZero() {
		n.backward = append(n.backward, n.bind(device.ConvBackwardData{Conv: v, DY: y.d, Weight: w, DX: in.d}))
	}
	n.backward = append(n.backward,
		n.bind(device.ConvBackwardFilter{Conv: v, X: in.x, DY: y.d, DWeight: dw}),
		n.bind(device.BiasGrad{Rows: v.N * v.P * v.Q, Cols: v.K, DY: y.d, DB: db}))
	n.tanhBackward(y, v.Out(v.K))
	return y
}

func (n *netBuilder) pool(in tensor, w device.Window) tensor {
	y := n.tensor(w.Out(w.C))
	n.forward = append(n.forward, n.bind(device.AvgPoolForward{Window: w, X: in.x, Y: y.x}))
	n.backward = append(n.backward, n.bind(device.AvgPoolBackward{Window: w, DY: y.d, DX: in.d}))
	return y
}

func (n *netBuilder) dense(in tensor, batch, features, outputs int, act device.Act) tensor {
	y := n.tensor(batch * outputs)
	w, dw, bias, db := n.random(outputs*features), n.alloc(outputs*features), n.random(outputs), n.alloc(outputs)
	n.forward = append(n.forward, n.bind(device.Gemm{M: batch, N: outputs, K: features, TransB: true, A: in.x, B: w, C: y.x,
		Epilogue: device.Epilogue{Bias: bias, Act: act}}))
	n.backward = append(n.backward,
		n.bind(device.Gemm{M: batch, N: features, K: outputs, A: y.d, B: w, C: in.d}),
		n.bind(device.Gemm{M: outputs, N: features, K: batch, TransA: true, A: y.d, B: in.x, C: dw}),
		n.bind(device.BiasGrad{Rows: batch, Cols: outputs, DY: y.d, DB: db}))
	if act == device.Tanh {
		n.tanhBackward(y, batch*outputs)
	}
	return y
}

// lenet5 binds one training step of LeNet-5 (LeCun et al. 1998) with tanh and average pooling, and SGD with momentum.
func lenet5(tb testing.TB, d *Device, batch int) []device.Step {
	n := &netBuilder{tb: tb, d: d, rnd: philox.New(1, philox.Test, 0, 0)}
	x := tensor{x: n.random(batch * 28 * 28)}
	window := func(size, c, out, f, stride, pad int) device.Window {
		return device.Window{N: batch, H: size, W: size, C: c, P: out, Q: out, R: f, S: f, StrideH: stride, StrideW: stride, DilH: 1, DilW: 1, PadTop: pad, PadLeft: pad}
	}
	y := n.conv(x, device.Conv{Window: window(28, 1, 28, 5, 1, 2), K: 6, Groups: 1})
	y = n.pool(y, window(28, 6, 14, 2, 2, 0))
	y = n.conv(y, device.Conv{Window: window(14, 6, 10, 5, 1, 0), K: 16, Groups: 1})
	y = n.pool(y, window(10, 16, 5, 2, 2, 0))
	y = n.dense(y, batch, 400, 120, device.Tanh)
	y = n.dense(y, batch, 120, 84, device.Tanh)
	y = n.dense(y, batch, 84, 10, device.Identity)
	targets := n.alloc(batch * 10)
	v, _ := d.floats(targets)
	for r := range batch {
		v[r*10+r%10] = 1
	}
	steps := append(n.forward, n.bind(device.SoftmaxCrossEntropy{Rows: batch, Classes: 10, Logits: y.x, Targets: targets, DLogits: y.d,
		Stats: n.alloc(device.StatsWords)}))
	for i := len(n.backward) - 1; i >= 0; i-- {
		steps = append(steps, n.backward[i])
	}
	const params = 61706
	hyper := n.alloc(device.HyperWords)
	u := device.Update{N: params, W: n.random(params), G: n.random(params), Norm: n.alloc(1), Hyper: hyper,
		Segments: []device.Segment{{Off: 0, Len: params, LRScale: 1, Decay: 1e-4}}}
	return append(steps, n.bind(device.Norm2{N: params, X: u.G, Y: u.Norm}), n.bind(device.SGD{Update: u, V: n.alloc(params)}))
}

func TestLeNet5StepDoesNotAllocate(t *testing.T) {
	d := New(2)
	defer d.Close()
	steps := lenet5(t, d, 4)
	allocs := testing.AllocsPerRun(5, func() {
		for _, s := range steps {
			if err := s(); err != nil {
				t.Fatal(err)
			}
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations in a step, want 0", allocs)
	}
}
