package cpu

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/philox"
)

// stemCalls returns the calls of a convolution of images of one channel with activation and pooling, forward and backward, on random memory.
func stemCalls(n *netBuilder, h, w, k, size, batch int, act device.Act) []device.Call {
	conv := device.Window{N: batch, H: h, W: w, C: 1, R: size, S: size, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, PadTop: size / 2, PadLeft: size / 2}
	conv.P, conv.Q = h+2*(size/2)-size+1, w+2*(size/2)-size+1
	v := device.Conv{Window: conv, K: k, Groups: 1}
	pool := device.Window{N: batch, H: v.P, W: v.Q, C: k, R: 2, S: 2, StrideH: 2, StrideW: 2, DilH: 1, DilW: 1, P: v.P / 2, Q: v.Q / 2}
	x, y, g := n.random(v.In()), n.random(v.Out(k)), n.random(v.Out(k))
	list := []device.Call{
		device.ConvForward{Conv: v, X: x, Weight: n.random(v.FilterLen()), Y: y, Epilogue: device.Epilogue{Bias: n.random(k), Act: act}},
		device.AvgPoolForward{Window: pool, X: y, Y: n.random(pool.Out(k))},
		device.AvgPoolBackward{Window: pool, DY: n.random(pool.Out(k)), DX: g},
		device.ActBackward{N: v.Out(k), Act: act, Y: y, DY: g, DX: g},
		device.BiasGrad{Rows: batch * v.P * v.Q, Cols: k, DY: g, DB: n.random(k)},
		device.ConvBackwardFilter{Conv: v, X: x, DY: g, DWeight: n.random(v.FilterLen())},
	}
	for i, c := range list {
		if w, ok := c.(device.WorkspaceCall); ok {
			list[i] = w.WithWorkspace(n.alloc(int(n.d.Workspace(w)+3) / 4))
		}
	}
	return list
}

// The kernels of a stem compute what its calls do one after another, for every instruction set that this processor has.
func TestStem(t *testing.T) {
	if !kernel.Available {
		t.Skip("no groups without cgo")
	}
	best := kernel.Name()
	defer kernel.Use(best)
	for _, name := range []string{"AVX-512", "AVX2", "SSE2", "NEON", "portable"} {
		if !kernel.Use(name) {
			continue
		}
		for i, c := range []struct{ h, w, k, size int }{{28, 28, 6, 5}, {2, 2, 1, 3}, {4, 10, 5, 3}, {6, 36, 8, 5}, {12, 70, 12, 3}, {8, 66, 9, 1}, {10, 18, 4, 7}, {32, 32, 3, 5}} {
			act := []device.Act{device.Tanh, device.ReLU, device.ReLU6, device.Sigmoid}[i%4]
			t.Run(fmt.Sprintf("%s/%dx%d %d@%d %v", name, c.h, c.w, c.k, c.size, act), func(t *testing.T) {
				d := New(2)
				defer d.Close()
				n := &netBuilder{tb: t, d: d, rnd: philox.New(1, philox.Test, 0, i)}
				calls := stemCalls(n, c.h, c.w, c.k, c.size, 5, act)
				if s, ok := findStem(calls, func(device.Mem) bool { return true }); !ok || s != (stem{0, 2}) {
					t.Fatalf("findStem = %v, %v", s, ok)
				}
				results := []device.Mem{calls[1].(device.AvgPoolForward).Y, calls[4].(device.BiasGrad).DB, calls[5].(device.ConvBackwardFilter).DWeight}
				for _, c := range calls {
					step, err := d.Bind(c)
					if err == nil {
						err = step()
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				var want [][]float32
				for _, m := range results {
					v, _ := d.floats(m)
					want = append(want, append([]float32(nil), v...))
					fill(v, float32(math.NaN()))
				}
				step, err := d.BindGroup(calls, func(device.Mem) bool { return true })
				if err == nil {
					err = step()
				}
				if err != nil {
					t.Fatal(err)
				}
				for r, m := range results {
					got, _ := d.floats(m)
					for i, v := range want[r] {
						if e := math.Abs(float64(got[i] - v)); !(e <= 2e-5*(1+math.Abs(float64(v)))) {
							t.Fatalf("result %d, element %d: %v, call by call %v", r, i, got[i], v)
						}
					}
				}
			})
		}
	}
}

// Calls are a stem only where nothing else sees what lies between them.
func TestWhatIsNoStem(t *testing.T) {
	if !kernel.Available {
		t.Skip("no groups without cgo")
	}
	d := New(1)
	defer d.Close()
	n := &netBuilder{tb: t, d: d, rnd: philox.New(1, philox.Test, 0, 0)}
	calls := stemCalls(n, 8, 8, 4, 3, 2, device.Tanh)
	y, g := calls[1].(device.AvgPoolForward).X, calls[2].(device.AvgPoolBackward).DX
	all := func(device.Mem) bool { return true }
	for _, c := range []struct {
		name  string
		calls []device.Call
		inner func(device.Mem) bool
		want  bool
	}{
		{"all of it", calls, all, true},
		{"forward", calls[:2], all, true},
		{"the output is read later", calls, func(m device.Mem) bool { return m != y }, false},
		{"the gradient is read later", calls, func(m device.Mem) bool { return m != g }, false},
		{"another reader of the output", append(calls[:6:6], device.Copy{Rows: 1, Cols: 4, Src: y, Dst: g}), all, false},
		{"a backward pass without the filter", calls[:5], all, false},
		{"a sum of gradients", edited(calls, 2, func(p *device.AvgPoolBackward) { p.Accumulate = true }), all, false},
		{"windows of 3 rows", edited(calls, 1, func(p *device.AvgPoolForward) { p.R = 3 }), all, false},
		{"a residual", edited(calls, 0, func(f *device.ConvForward) { f.Residual = g }), all, false},
		{"another activation", edited(calls, 3, func(a *device.ActBackward) { a.Act = device.ReLU }), all, false},
	} {
		if _, ok := findStem(c.calls, c.inner); ok != c.want {
			t.Errorf("%s: findStem reports %v, want %v", c.name, ok, c.want)
		}
	}
}

// edited returns calls with another call i.
func edited[C device.Call](calls []device.Call, i int, edit func(*C)) []device.Call {
	list := slices.Clone(calls)
	c := list[i].(C)
	edit(&c)
	list[i] = c
	return list
}
