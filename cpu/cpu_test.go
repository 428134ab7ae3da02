package cpu

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/device/devicetest"
)

func TestConformance(t *testing.T) {
	devicetest.Run(t, func(testing.TB) device.Device { return New(2) }, devicetest.Options{})
}

// Results are the same bits for any number of threads.
func TestThreadsGiveTheSameBits(t *testing.T) { sameBits(t, devicetest.Cases(device.FP32), New) }

func sameBits(t *testing.T, cases []devicetest.Case, open func(threads int) *Device) {
	var benches []*devicetest.Bench
	for _, threads := range []int{1, 2, 3} {
		d := open(threads)
		defer d.Close()
		benches = append(benches, devicetest.NewBench(t, d, cases))
	}
	for _, c := range cases {
		var first []float32
		for i, b := range benches {
			step, _ := b.Load(t, c)
			b.Run(step)
			got := b.Read()
			if i == 0 {
				first = got
				continue
			}
			for j, v := range got {
				if math.Float32bits(v) != math.Float32bits(first[j]) {
					t.Errorf("%s: %s gives %v at word %d of the arena, one thread gives %v", c.Name, b.Device.Name(), v, j, first[j])
					break
				}
			}
		}
	}
}

func TestStepsDoNotAllocate(t *testing.T) {
	cases := devicetest.Cases(device.FP32)
	d := New(2)
	defer d.Close()
	b := devicetest.NewBench(t, d, cases)
	for _, c := range cases {
		step, _ := b.Load(t, c)
		run := func() {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		// Other goroutines of the test binary allocate now and then: what counts is whether a step must.
		allocs := math.Inf(1)
		for range 3 {
			if allocs = min(allocs, testing.AllocsPerRun(3, run)); allocs == 0 {
				break
			}
		}
		if allocs != 0 {
			t.Errorf("%s: %v allocations in a step, want 0", c.Name, allocs)
		}
	}
}

func TestArenasAreAlignedAndZero(t *testing.T) {
	d := New(1)
	defer d.Close()
	for _, n := range []int64{1, 4, 255, 256, 100000, 5} {
		m, err := d.Alloc(n)
		if err != nil {
			t.Fatal(err)
		}
		v := d.arenas[m.Arena-1]
		if at := uintptr(unsafe.Pointer(&v[0])); at%device.Align != 0 {
			t.Errorf("%d bytes lie at %#x, want a multiple of %d", n, at, device.Align)
		}
		for i, x := range v {
			if x != 0 {
				t.Fatalf("%d bytes: word %d is %v", n, i, x)
			}
		}
	}
}

func TestTooMuchMemoryIsAnError(t *testing.T) {
	if _, known := available(); !known {
		t.Skip("this system does not tell how much memory is free")
	}
	d := New(1)
	defer d.Close()
	_, err := d.Alloc(1 << 50)
	var oom *device.OutOfMemoryError
	if !errors.As(err, &oom) || oom.Want != 1<<50 || oom.Free <= 0 {
		t.Errorf("got error %v, want an OutOfMemoryError with the sizes", err)
	}
}

func TestCloseStopsTheWorkers(t *testing.T) {
	before := runtime.NumGoroutine()
	d := New(4)
	m, err := d.Alloc(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	fill := device.Fill{N: 1 << 18, Y: m, Value: 1}
	step, err := d.Bind(fill)
	if err := errors.Join(err, step(), d.Close(), d.Close()); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before the device was opened", runtime.NumGoroutine(), before)
		}
	}
	bind := func() error { _, err := d.Bind(fill); return err }
	alloc := func() error { _, err := d.Alloc(4); return err }
	for name, err := range map[string]error{"step": step(), "Sync": d.Sync(), "Bind": bind(), "Alloc": alloc(),
		"Upload": d.Upload(m, make([]byte, 1<<20)), "Download": d.Download(make([]byte, 1<<20), m)} {
		if !errors.Is(err, errClosed) {
			t.Errorf("%s of a closed device: got error %v, want %v", name, err, errClosed)
		}
	}
}

type unknown struct{ device.Fill }

func TestMisuseIsAnError(t *testing.T) {
	d := New(1)
	defer d.Close()
	m, err := d.Alloc(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	bind := func(c device.Call) error { _, err := d.Bind(c); return err }
	alloc := func(n int64) error { _, err := d.Alloc(n); return err }
	sum := device.BiasGrad{Rows: 100, Cols: 10, DY: m.Slice(0, 4000), DB: m.Slice(4096, 40)}
	need := d.Workspace(sum)
	with := func(w device.Mem) device.Call { return sum.WithWorkspace(w) }
	if err := bind(with(m.Slice(8192, need))); err != nil {
		t.Fatalf("a workspace of the size that was asked for: %v", err)
	}
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"no call", bind(nil), device.ErrUnsupported},
		{"unknown call", bind(unknown{device.Fill{N: 1, Y: m}}), device.ErrUnsupported},
		{"allocation of nothing", alloc(0), device.ErrGeometry},
		{"length of upload", d.Upload(m, make([]byte, 4)), device.ErrGeometry},
		{"length of download", d.Download(make([]byte, 4), m), device.ErrGeometry},
		{"upload to nowhere", d.Upload(device.Mem{Arena: 3, Len: 4}, make([]byte, 4)), device.ErrGeometry},
		{"operand nowhere", bind(device.Fill{N: 1, Y: device.Mem{Arena: 3, Len: 4}}), device.ErrOperand},
		{"no workspace", bind(sum), device.ErrOperand},
		{"workspace too small", bind(with(m.Slice(8192, 4))), device.ErrOperand},
		{"workspace misaligned", bind(with(m.Slice(8196, need))), device.ErrOperand},
		{"workspace nowhere", bind(with(device.Mem{Arena: 3, Len: need})), device.ErrOperand},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: got error %v, want one that is %v", c.name, c.err, c.want)
		}
	}
	if n := d.Workspace(device.BiasGrad{Rows: -1}); n != 0 {
		t.Errorf("a call with wrong geometry wants %d bytes of workspace, want 0", n)
	}
	if n := d.Workspace(device.BiasGrad{Rows: 100, Cols: 10}); n != need {
		t.Errorf("without operands the call wants %d bytes of workspace, with them %d", n, need)
	}
}

func TestName(t *testing.T) {
	for threads, want := range map[int]string{1: "cpu (1 thread, " + engine() + ")", 2: "cpu (2 threads, " + engine() + ")"} {
		d := New(threads)
		defer d.Close()
		if got := d.Name(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	d := New(0)
	defer d.Close()
	if !strings.HasPrefix(d.Name(), fmt.Sprintf("cpu (%d thread", processors)) {
		t.Errorf("New(0) is %q, want as many threads as GOMAXPROCS was", d.Name())
	}
}

// The runtime has a processor that no worker needs, and new devices do not count it.
func TestSpareProcessor(t *testing.T) {
	threads := max(2, runtime.GOMAXPROCS(0))
	want := threads + 1
	if !kernel.Available { // workers stay in Go
		want = runtime.GOMAXPROCS(0)
	}
	d := New(threads)
	defer d.Close()
	if got := runtime.GOMAXPROCS(0); got != want {
		t.Errorf("GOMAXPROCS is %d for %d workers, wanted %d", got, threads, want)
	}
	e := New(0)
	defer e.Close()
	if e.crew.size != processors {
		t.Errorf("New(0) has %d workers, wanted %d", e.crew.size, processors)
	}
}

// The CPU computes in float32 alone, and says so before it looks at operands.
func TestPrecisionsAreRefused(t *testing.T) {
	d := New(1)
	defer d.Close()
	if err := device.CheckPrecision(d, device.FP32); err != nil {
		t.Errorf("fp32: %v", err)
	}
	for _, p := range []device.Precision{device.TF32, device.BF16} {
		err := device.CheckPrecision(d, p)
		if want := "--precision " + p.String() + " needs a CUDA device"; !errors.Is(err, device.ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want one that is ErrUnsupported and says %q", p, err, want)
		}
	}
	if _, err := d.Bind(device.ActForward{N: 1, Type: device.BFloat16}); !errors.Is(err, device.ErrUnsupported) {
		t.Errorf("an activation in bfloat16: error %v", err)
	}
}
