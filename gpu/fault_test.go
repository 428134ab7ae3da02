//go:build cuda && cgo && linux

package gpu

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/device"
)

func TestList(t *testing.T) {
	d := open(t)
	defer d.Close()
	list, err := List()
	if err != nil || len(list) == 0 {
		t.Fatalf("List gives %v and error %v", list, err)
	}
	if i := list[0]; i.Name == "" || i.Major < 7 || i.Memory <= 0 || i.Multiprocessors <= 0 || i.Driver < 11000 {
		t.Errorf("GPU 0 is %+v", i)
	}
	if d.Name() != list[0].String() || !strings.HasPrefix(d.Name(), "cuda:0 ") {
		t.Errorf("the device is named %q, want %q", d.Name(), list[0])
	}
	for _, index := range []int{-1, len(list)} {
		if _, err := Open(index); !errors.Is(err, ErrNoDevice) {
			t.Errorf("Open(%d) gives error %v, want ErrNoDevice", index, err)
		}
	}
}

func TestTooMuchMemoryIsAnError(t *testing.T) {
	d := open(t)
	defer d.Close()
	_, err := d.Alloc(1 << 50)
	var oom *device.OutOfMemoryError
	if !errors.As(err, &oom) || oom.Want != 1<<50 || oom.Free <= 0 {
		t.Fatalf("got error %v, want an OutOfMemoryError with the sizes", err)
	}
	free, err := d.Free()
	if err != nil || free <= 0 || free > d.Info().Memory {
		t.Errorf("%d of %d bytes are free, error %v", free, d.Info().Memory, err)
	}
	if _, err := d.Alloc(1 << 20); err != nil {
		t.Errorf("after an allocation that failed: %v", err)
	}
}

func TestMemoryIsZero(t *testing.T) {
	d := open(t)
	defer d.Close()
	for _, n := range []int{1, 63, 100000} {
		got := make([]uint32, n)
		got[n-1] = 1
		if err := d.Download(device.Bytes(got), alloc(t, d, n)); err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			if v != 0 {
				t.Fatalf("word %d of %d is %#x", i, n, v)
			}
		}
	}
}

// A launch that fails is reported with the driver's words, everything after it fails alike, and a new device works.
func TestLostContext(t *testing.T) {
	for _, fault := range []string{"launch:1=700", "launch:1=719", "copy:1=214", "alloc:1=716"} {
		t.Run(fault, func(t *testing.T) {
			emulated(t, "CNNCTL_EMU_FAULT", fault)
			d := open(t)
			m, err := d.Alloc(1024)
			if err == nil {
				err = d.Upload(m, make([]byte, 1024))
			}
			var step device.Step
			if err == nil {
				step, err = d.Bind(device.Fill{N: 256, Y: m, Value: 1})
			}
			if err == nil {
				err = errors.Join(step(), d.Sync())
			}
			var e *Error
			if !errors.Is(err, ErrLost) || !errors.As(err, &e) || !strings.HasPrefix(e.Name, "CUDA_ERROR_") {
				t.Fatalf("got error %v, want one that is ErrLost and names itself", err)
			}
			_, alloc := d.Alloc(4)
			_, bind := d.Bind(device.Fill{N: 1, Y: m})
			for what, later := range map[string]error{"Sync": d.Sync(), "Alloc": alloc, "Bind": bind,
				"Upload": d.Upload(m, make([]byte, 1024)), "Download": d.Download(make([]byte, 1024), m)} {
				if !errors.Is(later, ErrLost) {
					t.Errorf("%s afterwards: got error %v, want ErrLost", what, later)
				}
			}
			if err := d.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			t.Setenv("CNNCTL_EMU_FAULT", "")
			again := open(t)
			if err := errors.Join(again.Sync(), again.Close()); err != nil {
				t.Errorf("a new device: %v", err)
			}
		})
	}
}

// Faults that the context survives are reported once.
func TestFaultThatPasses(t *testing.T) {
	emulated(t, "CNNCTL_EMU_FAULT", "copy:1=1,alloc:2=2")
	d := open(t)
	defer d.Close()
	m := alloc(t, d, 4)
	var oom *device.OutOfMemoryError
	if err := d.Upload(m, make([]byte, 16)); !errors.As(err, &oom) && err == nil {
		t.Errorf("the page-locked memory cannot be had, and there is no error")
	}
	if err := d.Upload(m, make([]byte, 16)); err == nil || errors.Is(err, ErrLost) {
		t.Errorf("got error %v, want one that is not ErrLost", err)
	}
	if err := errors.Join(d.Upload(m, make([]byte, 16)), d.Sync()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestClosedDevice(t *testing.T) {
	d := open(t)
	m := alloc(t, d, 4)
	step, err := d.Bind(device.Fill{N: 4, Y: m})
	if err := errors.Join(err, step(), d.Close(), d.Close()); err != nil {
		t.Fatal(err)
	}
	_, alloc := d.Alloc(4)
	_, bind := d.Bind(device.Fill{N: 4, Y: m})
	for what, err := range map[string]error{"step": step(), "Sync": d.Sync(), "Alloc": alloc, "Bind": bind,
		"Upload": d.Upload(m, make([]byte, 16)), "Download": d.Download(make([]byte, 16), m)} {
		if !errors.Is(err, errClosed) {
			t.Errorf("%s of a closed device: got error %v, want %v", what, err, errClosed)
		}
	}
}

type unknown struct{ device.Fill }

func TestMisuseIsAnError(t *testing.T) {
	d := open(t)
	defer d.Close()
	m := alloc(t, d, 1<<18)
	bind := func(c device.Call) error { _, err := d.Bind(c); return err }
	_, nothing := d.Alloc(0)
	sum := device.BiasGrad{Rows: 100, Cols: 10, DY: m.Slice(0, 4000), DB: m.Slice(4096, 40)}
	need := d.Workspace(sum)
	if need <= 0 {
		t.Fatalf("a sum wants %d bytes of workspace", need)
	}
	with := func(w device.Mem) device.Call { return sum.WithWorkspace(w) }
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"a workspace of the size that was asked for", bind(with(m.Slice(8192, need))), nil},
		{"no call", bind(nil), device.ErrUnsupported},
		{"unknown call", bind(unknown{device.Fill{N: 1, Y: m}}), device.ErrUnsupported},
		{"allocation of nothing", nothing, device.ErrGeometry},
		{"length of upload", d.Upload(m, make([]byte, 4)), device.ErrGeometry},
		{"length of download", d.Download(make([]byte, 4), m), device.ErrGeometry},
		{"upload to nowhere", d.Upload(device.Mem{Arena: 3, Len: 4}, make([]byte, 4)), device.ErrGeometry},
		{"operand nowhere", bind(device.Fill{N: 1, Y: device.Mem{Arena: 3, Len: 4}}), device.ErrOperand},
		{"no workspace", bind(sum), device.ErrOperand},
		{"workspace too small", bind(with(m.Slice(8192, need-4))), device.ErrOperand},
		{"workspace misaligned", bind(with(m.Slice(8196, need))), device.ErrOperand},
		{"workspace nowhere", bind(with(device.Mem{Arena: 3, Len: need})), device.ErrOperand},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: got error %v, want one that is %v", c.name, c.err, c.want)
		}
	}
	if n := d.Workspace(device.BiasGrad{Rows: 100, Cols: 10}); n != need {
		t.Errorf("without operands the call wants %d bytes of workspace, with them %d", n, need)
	}
}

// Operands that do not lie at multiples of 16 bytes take other kernels, with the same result.
func TestMisalignedOperands(t *testing.T) {
	d := open(t)
	defer d.Close()
	const n, room = 1029, 1100
	src := normals(8 * room)
	device.Hyper{Step: 5, LR: 0.1, Momentum: 0.9, Correct1: 0.5, Correct2: 0.25, EMADecay: 0.75}.Encode(device.Bytes(src[7*room:]))
	src[7*room+8] = 3 // a norm
	arena, work := alloc(t, d, len(src)), alloc(t, d, 10000)
	for name, call := range map[string]func(p func(i int) device.Mem, hyper, norm device.Mem) device.Call{
		"fill": func(p func(int) device.Mem, _, _ device.Mem) device.Call { return device.Fill{N: n, Y: p(0), Value: 2} },
		"act forward": func(p func(int) device.Mem, _, _ device.Mem) device.Call {
			return device.ActForward{N: n, Act: device.Tanh, X: p(0), Y: p(1)}
		},
		"act backward": func(p func(int) device.Mem, _, _ device.Mem) device.Call {
			return device.ActBackward{N: n, Act: device.Sigmoid, Y: p(0), DY: p(1), DX: p(2), Accumulate: true}
		},
		"add": func(p func(int) device.Mem, _, _ device.Mem) device.Call {
			return device.Add{N: n, A: p(0), B: p(1), Y: p(2), Act: device.ReLU6}
		},
		"dropout": func(p func(int) device.Mem, h, _ device.Mem) device.Call {
			return device.Dropout{N: n, P: 0.4, Seed: 9, X: p(0), Y: p(1), Hyper: h}
		},
		"ema": func(p func(int) device.Mem, h, _ device.Mem) device.Call {
			return device.EMA{N: n, E: p(0), W: p(1), Hyper: h}
		},
		"adamw": func(p func(int) device.Mem, h, norm device.Mem) device.Call {
			return device.AdamW{Update: device.Update{N: n, Segments: []device.Segment{{Len: n, LRScale: 1, Decay: 0.1}}, W: p(0), G: p(1), Norm: norm, Hyper: h},
				Beta2: 0.99, Eps: 1, M: p(2), V: p(3)}
		},
		"copy": func(p func(int) device.Mem, _, _ device.Mem) device.Call {
			return device.Copy{Rows: 21, Cols: 48, SrcStride: 52, DstStride: 48, Src: p(0), Dst: p(1)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var want []float32
			for shift := range 4 {
				// Operand i begins shift words behind a multiple of 16 bytes; its contents do not depend on that.
				image := make([]float32, len(src))
				for i := range 4 {
					copy(image[i*room+shift:], src[i*room:i*room+n+50])
					for j := range n + 50 { // no negative second moments
						if i == 3 {
							image[i*room+shift+j] = float32(math.Abs(float64(image[i*room+shift+j])))
						}
					}
				}
				copy(image[7*room:], src[7*room:])
				if err := d.Upload(arena, device.Bytes(image)); err != nil {
					t.Fatal(err)
				}
				words := func(at, n int) device.Mem { return arena.Slice(4*int64(at), 4*int64(n)) }
				c := call(func(i int) device.Mem { return words(i*room+shift, n+63) }, words(7*room, device.HyperWords), words(7*room+8, 1))
				if w, ok := c.(device.WorkspaceCall); ok {
					c = w.WithWorkspace(work)
				}
				step, err := d.Bind(c)
				if err := errors.Join(err, step()); err != nil {
					t.Fatal(err)
				}
				got := make([]float32, len(src))
				if err := d.Download(device.Bytes(got), arena); err != nil {
					t.Fatal(err)
				}
				var results []float32
				for i := range 4 {
					results = append(results, got[i*room+shift:][:n+50]...)
				}
				if shift == 0 {
					want = results
					continue
				}
				for i, v := range results {
					if math.Float32bits(v) != math.Float32bits(want[i]) {
						t.Fatalf("shifted by %d words: element %d of operand %d is %v, aligned it is %v", shift, i%(n+50), i/(n+50), v, want[i])
					}
				}
			}
		})
	}
}
