//go:build cuda && cgo && linux

package gpu

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/device/devicetest"
)

// In the conformance suite all operands lie in one allocation. Here each has one of its own, of exactly its size and with its alignment, so
// that the emulated driver sees every access beside an operand, even one that changes nothing.
func TestOperandsAlone(t *testing.T) {
	emulated(t, "CNNCTL_EMU_ORDER", "reverse")
	runAlone(t, supported(device.FP32))
	runAlone(t, fewerProducts(t, supported(device.TF32)))
}

func runAlone(t *testing.T, cases []devicetest.Case) {
	d := open(t)
	defer d.Close()
	b := devicetest.NewBench(t, d, cases)
	for _, c := range cases {
		_, call := b.Load(t, c)
		places := map[device.Mem]device.Mem{}
		moved := reflect.New(reflect.TypeOf(call)).Elem()
		moved.Set(reflect.ValueOf(call))
		move(t, d, moved, places)
		if w, ok := moved.Interface().(device.WorkspaceCall); ok {
			if n := d.Workspace(w); n > 0 { // what was asked for, and no byte more
				m, err := d.Alloc(n)
				if err != nil {
					t.Fatal(err)
				}
				moved.Set(reflect.ValueOf(w.WithWorkspace(m)))
			}
		}
		step, err := d.Bind(moved.Interface().(device.Call))
		if err := errors.Join(err, step(), d.Sync()); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
	}
}

// move gives every operand in the fields of v a place of its own, with its contents; equal ones stay equal.
func move(t *testing.T, d *Device, v reflect.Value, places map[device.Mem]device.Mem) {
	for i := range v.NumField() {
		f := v.Field(i)
		if f.Kind() != reflect.Struct {
			continue
		}
		m, ok := f.Interface().(device.Mem)
		if !ok {
			move(t, d, f, places)
			continue
		}
		if m.IsZero() {
			continue
		}
		to, ok := places[m]
		if !ok {
			skip := m.Off % 16
			all, err := d.Alloc(skip + m.Len)
			contents := make([]byte, m.Len)
			if err == nil {
				to = all.Slice(skip, m.Len)
				err = errors.Join(d.Download(contents, m), d.Upload(to, contents))
			}
			if err != nil {
				t.Fatal(err)
			}
			places[m] = to
		}
		f.Set(reflect.ValueOf(to))
	}
}

// Segments that begin anywhere: their elements take part in no 16-byte access.
func TestOddSegments(t *testing.T) {
	d := open(t)
	defer d.Close()
	const n = 10000
	w, g, norm, hyper := alloc(t, d, n), alloc(t, d, n), alloc(t, d, 1), alloc(t, d, device.HyperWords)
	segments := []device.Segment{{Off: 3, Len: 1000, LRScale: 1}, {Off: 1005, Len: 2 * pieceLen, LRScale: 2}, {Off: 9998, Len: 2, LRScale: 4}}
	h, gradient := make([]byte, 4*device.HyperWords), make([]float32, n)
	device.Hyper{LR: 0.5}.Encode(h)
	for i := range gradient {
		gradient[i] = float32(i % 97)
	}
	step, err := d.Bind(device.SGD{Update: device.Update{N: n, Segments: segments, W: w, G: g, Norm: norm, Hyper: hyper}})
	got := make([]float32, n)
	if err := errors.Join(err, d.Upload(g, device.Bytes(gradient)), d.Upload(hyper, h), step(), d.Download(device.Bytes(got), w)); err != nil {
		t.Fatal(err)
	}
	want := make([]float32, n)
	for _, s := range segments {
		for i := s.Off; i < s.Off+s.Len; i++ {
			want[i] = -0.5 * s.LRScale * gradient[i]
		}
	}
	for i, v := range got {
		if v != want[i] {
			t.Fatalf("weight %d is %v, want %v", i, v, want[i])
		}
	}
}

// A logit that is NaN ranks above everything: a network that has diverged is not right by accident.
func TestNaNLogits(t *testing.T) {
	d := open(t)
	defer d.Close()
	nan := float32(math.NaN())
	for _, c := range []struct {
		logits []float32
		target int
		top1   float32
	}{
		{[]float32{nan, nan, nan}, 0, 0},
		{[]float32{nan, nan, nan}, 2, 0},
		{[]float32{5, nan, 1}, 0, 0},
		{[]float32{nan, 5, 1}, 1, 0},
		{[]float32{1, 5, 2}, 1, 1},
		{[]float32{5, 5, 2}, 1, 0},
		{[]float32{5, 5, 2}, 0, 1},
	} {
		targets := make([]float32, 3)
		targets[c.target] = 1
		x, y, stats := alloc(t, d, 3), alloc(t, d, 3), alloc(t, d, device.StatsWords)
		call := device.SoftmaxCrossEntropy{Rows: 1, Classes: 3, Logits: x, Targets: y, Stats: stats}
		call.Workspace = alloc(t, d, int(d.Workspace(call)/4))
		step, err := d.Bind(call)
		var got [device.StatsWords]float32
		if err := errors.Join(err, d.Upload(x, device.Bytes(c.logits)), d.Upload(y, device.Bytes(targets)), step(), d.Download(device.Bytes(got[:]), stats)); err != nil {
			t.Fatal(err)
		}
		if got[1] != c.top1 || got[3] != 1 {
			t.Errorf("logits %v, target %d: top-1 %v of %v rows, want %v of 1", c.logits, c.target, got[1], got[3], c.top1)
		}
	}
}
