package graph

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/cnnctl/cnnctl/cpu"
	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/philox"
)

// small is a network whose step a device can run as a group: every way that a convolution takes there, and every small layer.
func small() *Graph {
	g := New(Shape{H: 12, W: 12, C: 1})
	conv := func(k, size, stride, pad int) Conv2D {
		return Conv2D{Filters: k, Window: win(size, stride, Pad(pad))}
	}
	x := g.Add("c1", conv(6, 5, 1, 2), g.Input())
	x = g.Add("a1", Tanh(), x)
	x = g.Add("p1", AvgPool{Window: win(2, 2, Valid())}, x)
	x = g.Add("c2", conv(16, 3, 1, 0), x)
	x = g.Add("a2", ReLU(), x)
	y := g.Add("c3", conv(16, 3, 1, 1), x)
	x = g.Add("add", Add{}, x, y)
	x = g.Add("p2", MaxPool{win(2, 2, Valid())}, x)
	x = g.Add("c4", conv(20, 3, 2, 1), x)
	x = g.Add("flat", Flatten{}, x)
	x = g.Add("f1", Linear{Out: 21}, x)
	x = g.Add("a3", Tanh(), x)
	g.Add("f2", Linear{Out: 10}, x)
	return g
}

// ungrouped hides that a device knows groups.
type ungrouped struct {
	device.Device
	device.Workspacer
}

// trainedSmall returns the parameters of small after a few steps, and the program.
func trainedSmall(t *testing.T, dev device.Device, batch int) ([]float32, *Training) {
	t.Helper()
	g := small()
	w, err := NewWeights(g, dev)
	if err == nil {
		err = w.Init(3)
	}
	if err != nil {
		t.Fatal(err)
	}
	tr, err := CompileTraining(g, w, TrainConfig{Batch: batch, Optimizer: SGD{Momentum: 0.9}})
	if err != nil {
		t.Fatal(err)
	}
	rnd := philox.New(1, philox.Test, 0, batch)
	x, labels := make([]float32, batch*144), make([]float32, batch*10)
	for i := range x {
		x[i] = float32(rnd.Normal())
	}
	for i := range batch - batch/8 { // and some rows that do not count
		labels[10*i+rnd.IntN(10)] = 1
	}
	for i := range 3 {
		if err := tr.Step(x, labels, i, 0.1, 0); err != nil {
			t.Fatal(err)
		}
	}
	var all []float32
	for _, p := range g.Params() {
		v := make([]float32, p.Len())
		if err := w.Get(p, v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v...)
	}
	st, norm, err := tr.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return append(all, st.Loss, st.Top1, st.Top5, st.Rows, norm), tr
}

func TestGroupsComputeWhatCallsDo(t *testing.T) {
	if !kernel.Available {
		t.Skip("no groups without cgo")
	}
	for _, batch := range []int{2, 7, 64, 130} {
		t.Run(fmt.Sprint(batch), func(t *testing.T) {
			t.Parallel()
			var got []float32
			for threads := 1; threads <= 3; threads++ {
				dev := cpu.New(threads)
				defer dev.Close()
				v, tr := trainedSmall(t, dev, batch)
				if len(tr.runs) > len(tr.calls)/4 {
					t.Errorf("%d calls run as %d groups", len(tr.calls), len(tr.runs))
				}
				if got != nil && !slices.Equal(v, got) {
					t.Errorf("%d threads give other bits than 1", threads)
				}
				got = v
			}
			dev := cpu.New(2)
			defer dev.Close()
			want, tr := trainedSmall(t, ungrouped{dev, dev}, batch)
			if len(tr.runs) != len(tr.calls) {
				t.Fatalf("%d calls run as %d groups of a device without groups", len(tr.calls), len(tr.runs))
			}
			for i, v := range want {
				if d := math.Abs(float64(got[i] - v)); !(d <= 2e-5*(1+math.Abs(float64(v)))) {
					t.Fatalf("value %d is %v in groups, %v call by call", i, got[i], v)
				}
			}
		})
	}
}

// watched keeps what its groups are told of their operands.
type watched struct {
	*cpu.Device
	inner []func(device.Mem) bool
}

func (w *watched) BindGroup(calls []device.Call, inner func(device.Mem) bool) (device.Step, error) {
	w.inner = append(w.inner, inner)
	return w.Device.BindGroup(calls, inner)
}

// What the host writes and reads is no inner operand of a group, though only calls of the group touch it; activations between its calls are.
func TestInnerOperands(t *testing.T) {
	if !kernel.Available {
		t.Skip("no groups without cgo")
	}
	dev := &watched{Device: cpu.New(1)}
	defer dev.Close()
	_, tr := trainedSmall(t, dev, 4)
	if len(dev.inner) != 1 {
		t.Fatalf("%d groups, want 1", len(dev.inner))
	}
	inner := dev.inner[0]
	for name, m := range map[string]device.Mem{"batch": tr.x, "targets": tr.t, "stats": tr.stats, "gradients": tr.grad} {
		if inner(m) {
			t.Errorf("%s count as an inner operand", name)
		}
	}
	for _, c := range tr.calls {
		if f, ok := c.call.(device.ConvForward); ok && !inner(f.Y) {
			t.Errorf("the output of %s is no inner operand", c.node.Name)
		}
	}
}
