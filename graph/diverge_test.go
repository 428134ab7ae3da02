package graph

import (
	"math"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/device"
)

// A value that is not finite is traced to the layer where it came up first.
func TestFindNonFinite(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		name string
		set  func(r *rig)
		want string
	}{
		{"healthy", func(*rig) {}, ""},
		{"input", func(r *rig) { r.x[7] = float32(inf) }, "the input batch"},
		{"conv weight", func(r *rig) { r.param("trunk.conv.weight")[3] = inf }, "layer trunk.conv (conv 8@3x3 pad same), forward pass"},
		{"batch norm scale", func(r *rig) { r.param("trunk.bn.weight")[0] = nan }, "layer trunk.bn (batch norm), forward pass"},
		{"second conv bias", func(r *rig) { r.param("trunk.conv2.bias")[1] = nan }, "layer trunk.conv2"},
		{"fc weight", func(r *rig) { r.param("head.fc1.weight")[100] = -inf }, "layer head.fc1"},
		{"last bias", func(r *rig) { r.param("head.fc2.bias")[4] = nan }, "layer head.fc2"},
		{"loss", func(r *rig) { // 6e38 is no float32
			fill(r.param("head.fc2.weight"), 0)
			r.param("head.fc2.bias")[0], r.param("head.fc2.bias")[1] = 3e38, -3e38
			clear(r.y)
			r.y[1], r.y[6], r.y[11] = 1, 1, 1
		}, "the loss"},
		{"backward", func(r *rig) { // tiny features keep the scores small, but not the gradient of the features
			fill(r.param("head.fc1.weight"), 0)
			fill(r.param("head.fc1.bias"), 1e-40)
			for i := range r.param("head.fc2.weight") {
				r.param("head.fc2.weight")[i] = 1e40 * float64(1-2*(i/16%2))
			}
		}, "layer head.fc2 (fc 5), backward pass"},
	} {
		for _, p := range []device.Precision{device.FP32, device.BF16} {
			t.Run(c.name+" in "+p.String(), func(t *testing.T) {
				r := newRig(t, trunkAndHead(), TrainConfig{Batch: 3, Precision: p})
				c.set(r)
				r.step()
				got, err := r.tr.FindNonFinite()
				if err != nil || !strings.Contains(got, c.want) || c.want == "" && got != "" {
					t.Errorf("%q, %v, want %q", got, err, c.want)
				}
			})
		}
	}
}

// The largest float32 are infinite as bfloat16.
func TestFindOverflowOfTheBatch(t *testing.T) {
	r := newRig(t, trunkAndHead(), TrainConfig{Batch: 3, Precision: device.BF16})
	r.x[7] = math.MaxFloat32
	r.step()
	if got, err := r.tr.FindNonFinite(); err != nil || got != "the input batch in bfloat16" {
		t.Errorf("%q, %v, want the input batch in bfloat16", got, err)
	}
}

// A gradient of a parameter can overflow where those of the activations do not: it is a sum over all pixels.
func TestFindNonFiniteGradient(t *testing.T) {
	g := New(Shape{H: 8, W: 8, C: 1})
	g.Add("head", Linear{Out: 2}, g.Add("stem", Conv2D{Filters: 1, Window: win(1, 1, Valid()), NoBias: true}, g.Input()))
	r := newRig(t, g, TrainConfig{Batch: 3})
	for i := range r.x {
		r.x[i] = 3e38
	}
	fill(r.param("stem.weight"), 1e-40)
	fill(r.param("head.weight")[:64], 1)
	fill(r.param("head.weight")[64:], -1)
	r.step()
	if got, err := r.tr.FindNonFinite(); err != nil || got != "the gradient of stem.weight" {
		t.Errorf("%q, %v, want the gradient of stem.weight", got, err)
	}
}

// param returns the values of a parameter at full precision.
func (r *rig) param(name string) []float64 {
	r.t.Helper()
	for _, p := range r.g.Params() {
		if p.Name == name {
			return r.dev.Float64s(r.w.mem(p))
		}
	}
	r.t.Fatalf("no parameter %s", name)
	return nil
}

func fill(v []float64, x float64) {
	for i := range v {
		v[i] = x
	}
}

// Concat writes its output in parts. Between the parts the rest still holds what the step that diverged has left, which was once taken for
// concat's own doing.
func TestHalfWrittenConcatIsNotBlamed(t *testing.T) {
	g := New(Shape{H: 4, W: 4, C: 2})
	a := g.Add("a", Conv2D{Filters: 3, Window: win(3, 1, Same())}, g.Input())
	b := g.Add("b", Conv2D{Filters: 2, Window: win(3, 1, Same())}, g.Input())
	x := g.Add("concat", Concat{}, a, b, a)
	g.Add("culprit", Linear{Out: 4}, x)
	r := newRig(t, g, TrainConfig{Batch: 2})
	fill(r.param("culprit.weight"), math.NaN())
	for range 2 {
		r.step()
		poison(r.dev, r.tr.arena.Slice(r.tr.calls[2].bufs[1].offset(), r.tr.calls[2].bufs[1].bytes))
		got, err := r.tr.FindNonFinite()
		if err != nil || !strings.Contains(got, "layer culprit") {
			t.Errorf("%q, %v, want layer culprit", got, err)
		}
	}
}
