//go:build cuda && cgo && linux

package gpu

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/device/devicetest"
)

// precisions are all that there are.
var precisions = []device.Precision{device.FP32, device.TF32, device.BF16}

// supported returns the cases of the conformance suite in a precision whose calls have a binding.
func supported(p device.Precision) []devicetest.Case {
	has := map[string]bool{}
	for t := range bindings {
		has[t.Name()] = true
	}
	var list []devicetest.Case
	for _, c := range devicetest.Cases(p) {
		if family, _, _ := strings.Cut(c.Name, "/"); has[family] {
			list = append(list, c)
		}
	}
	return list
}

func TestConformance(t *testing.T) {
	for _, p := range precisions {
		t.Run(p.String(), func(t *testing.T) {
			devicetest.Run(t, func(t testing.TB) device.Device { return open(t) }, devicetest.Options{Cases: supported(p)})
		})
	}
}

// fewerProducts leaves out five of six products and convolutions, which all are of one main loop.
func fewerProducts(t *testing.T, cases []devicetest.Case) []devicetest.Case {
	var list []devicetest.Case
	for i, c := range cases {
		if i%6 == 0 || !strings.HasPrefix(c.Name, "Gemm/") && !strings.HasPrefix(c.Name, "Conv") {
			list = append(list, c)
		}
	}
	t.Logf("%d of %d cases, without five of six products and convolutions", len(list), len(cases))
	return list
}

// An order-dependent kernel gives other bits, or reads what is not written yet.
func TestOrderOfThreadsDoesNotMatter(t *testing.T) {
	for _, p := range precisions {
		t.Run(p.String(), func(t *testing.T) { compareOrders(t, fewerProducts(t, supported(p))) })
	}
}

func compareOrders(t *testing.T, cases []devicetest.Case) {
	var want [][]float32
	for i, order := range []string{"forward", "reverse", "shuffled:1"} {
		t.Run(order, func(t *testing.T) {
			emulated(t, "CNNCTL_EMU_ORDER", order)
			d := open(t)
			defer d.Close()
			b := devicetest.NewBench(t, d, cases)
			for j, c := range cases {
				step, _ := b.Load(t, c)
				b.Run(step)
				got := b.Read()
				if i == 0 {
					want = append(want, got)
					continue
				}
				for k, v := range got {
					if math.Float32bits(v) != math.Float32bits(want[j][k]) {
						t.Errorf("%s: word %d of the arena is %v, in forward order %v", c.Name, k, v, want[j][k])
						break
					}
				}
			}
		})
	}
}

func TestStepsDoNotAllocate(t *testing.T) {
	d := open(t)
	defer d.Close()
	cases := supported(device.FP32)
	b := devicetest.NewBench(t, d, cases)
	for i := 0; i < len(cases); i += 7 {
		step, _ := b.Load(t, cases[i])
		if n := testing.AllocsPerRun(3, func() {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations in a step, want 0", cases[i].Name, n)
		}
	}
}

// The argument lists of all bindings were checked against the kernels when they were bound; this is the check itself.
func TestArgumentsAreChecked(t *testing.T) {
	d := open(t)
	defer d.Close()
	if err := d.enter(); err != nil {
		t.Fatal(err)
	}
	defer d.leave()
	k, err := d.kernel("elementwise", "fill_f32")
	if err != nil {
		t.Fatal(err)
	}
	if k.params == nil {
		t.Skip("this driver does not tell the parameters of kernels")
	}
	m, _ := d.address(alloc(t, d, 8))
	for name, args := range map[string][]any{
		"one too few":     {m, int64(8)},
		"one too many":    {m, int64(8), float32(1), float32(2)},
		"too narrow":      {m, int32(8), float32(1)},
		"too wide":        {m, int64(8), int64(1)},
		"no kernel's own": {m, 8, float32(1)},
	} {
		if _, err := d.newLaunch(k, grid{x: 1}, 0, args); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := d.newLaunch(k, grid{x: 1}, 0, []any{m, int64(8), float32(1)}); err != nil {
		t.Error(err)
	}
	if _, err := d.newLaunch(k, grid{x: 1, y: 65536}, 0, []any{m, int64(8), float32(1)}); !errors.Is(err, errGrid) {
		t.Errorf("65536 blocks in y: got error %v, want %v", err, errGrid)
	}
	if _, err := d.kernel("elementwise", "fil_f32"); err == nil || !strings.Contains(err.Error(), "fil_f32") {
		t.Errorf("a kernel that does not exist: got error %v, want one with its name", err)
	}
}

// A replayed graph does what the steps do, with the contents that the operands have then.
func TestCapture(t *testing.T) {
	d := open(t)
	defer d.Close()
	x, norm := alloc(t, d, 1000), alloc(t, d, 1)
	measure := device.Norm2{N: 1000, X: x, Y: norm}
	measure.Workspace = alloc(t, d, int(d.Workspace(measure)/4))
	var steps []device.Step
	for _, c := range []device.Call{device.Add{N: 1000, A: x, B: x, Y: x}, measure} {
		s, err := d.Bind(c)
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, s)
	}
	fill, err := d.Bind(device.Fill{N: 1000, Y: x, Value: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	replay, err := d.Capture(func() error { return errors.Join(steps[0](), steps[1]()) })
	if err := errors.Join(err, fill()); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := replay(); err != nil {
			t.Fatal(err)
		}
		var got [1]float32
		if err := d.Download(device.Bytes(got[:]), norm); err != nil {
			t.Fatal(err)
		}
		want := math.Sqrt(1000) * math.Pow(2, float64(i))
		if math.Abs(float64(got[0])-want) > 1e-5*want {
			t.Errorf("replay %d: norm %v, want %v", i, got[0], want)
		}
	}
	broken := errors.New("broken")
	if _, err := d.Capture(func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got error %v, want %v", err, broken)
	}
	if err := errors.Join(fill(), d.Sync()); err != nil {
		t.Errorf("after a capture that failed: %v", err)
	}
}

// Copies larger than the staging memory, and many in a row.
func TestTransfers(t *testing.T) {
	d := open(t)
	defer d.Close()
	n := slots*slotSize/4 + slotSize/4 + 13
	want := make([]uint32, n)
	for i := range want {
		want[i] = uint32(i) * 2654435761
	}
	m := alloc(t, d, n)
	if err := d.Upload(m, device.Bytes(want)); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		part := []uint32{uint32(i), uint32(i)}
		if err := d.Upload(m.Slice(int64(400*i), 8), device.Bytes(part)); err != nil {
			t.Fatal(err)
		}
		want[100*i], want[100*i+1] = uint32(i), uint32(i)
		part[0], part[1] = 7, 7 // the caller's again
	}
	got := make([]uint32, n)
	if err := d.Download(device.Bytes(got), m); err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if v != want[i] {
			t.Fatalf("word %d is %#x, want %#x", i, v, want[i])
		}
	}
}
