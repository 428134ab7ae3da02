//go:build cuda && cgo && linux

package gpu

import (
	"errors"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/device/devicetest"
)

// A model that trains on the CPU must not fail here for want of a kernel.
func TestEveryCallHasKernels(t *testing.T) {
	for _, p := range precisions {
		has := map[string]bool{}
		for _, c := range supported(p) {
			has[c.Name] = true
		}
		for _, c := range devicetest.Cases(p) {
			if !has[c.Name] {
				t.Errorf("no binding for %s", c.Name)
			}
		}
	}
}

// The fast path for depthwise filters is taken where it is meant to be, and nowhere else: the suite passes either way.
func TestDepthwise(t *testing.T) {
	window := device.Window{N: 2, H: 5, W: 5, C: 6, P: 3, Q: 3, R: 3, S: 3, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1}
	for _, c := range []struct {
		k, groups int
		want      bool
	}{{6, 6, true}, {12, 6, false}, {6, 3, false}, {6, 1, false}} {
		d := open(t)
		v := device.Conv{Window: window, K: c.k, Groups: c.groups}
		f := device.ConvForward{Conv: v, X: alloc(t, d, v.In()), Weight: alloc(t, d, v.FilterLen()), Y: alloc(t, d, v.Out(v.K))}
		if n := d.Workspace(f); n > 0 {
			f.Workspace = alloc(t, d, int(n/4))
		}
		b := &binder{dev: d, call: f}
		if err := d.enter(); err != nil {
			t.Fatal(err)
		}
		bindConvForward(b, f)
		d.leave()
		if b.err != nil {
			t.Fatal(b.err)
		}
		got := strings.HasPrefix(b.launches[len(b.launches)-1].kernel.name, "depthwise_")
		if got != c.want {
			t.Errorf("%d channels to %d in %d groups: a depthwise kernel: %v, want %v", v.C, c.k, c.groups, got, c.want)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What 32-bit indices cannot hold is refused when the call is bound, with a remedy, and not computed wrongly.
func TestTooManyPixels(t *testing.T) {
	d := open(t)
	defer d.Close()
	v := device.Window{N: 1 << 20, H: 1 << 6, W: 1 << 6, C: 1, P: 1, Q: 1, R: 1, S: 1, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1}
	far := v
	far.N, far.P, far.StrideH = 1, 1<<12, 1<<19
	for name, c := range map[string]func(b *binder){
		"pixels":  func(b *binder) { b.window(v) },
		"windows": func(b *binder) { b.window(far) },
		"channels": func(b *binder) {
			w := v
			w.N, w.C = 1, 1<<31
			b.window(w)
		},
		"adaptive": func(b *binder) { b.adaptive(1, 1<<16, 1, 1, 1<<16, 1) },
	} {
		b := &binder{dev: d, call: device.MaxPoolForward{}}
		c(b)
		if !errors.Is(b.err, device.ErrGeometry) || !strings.Contains(b.err.Error(), "wanted") {
			t.Errorf("%s: got error %v, want ErrGeometry with a remedy", name, b.err)
		}
	}
}

// The driver must not be given memory of Go: the bytes of a download may lie beside a pointer, as in a struct, and cgo ends the program then.
func TestDownloadBesidePointers(t *testing.T) {
	d := open(t)
	defer d.Close()
	m := alloc(t, d, 4)
	if err := d.Upload(m, device.Bytes([]float32{1, 2, 3, 4})); err != nil {
		t.Fatal(err)
	}
	v := &struct {
		beside *device.Mem
		stats  [4]float32
	}{beside: new(device.Mem)}
	if err := d.Download(device.Bytes(v.stats[:]), m); err != nil {
		t.Fatal(err)
	}
	if want := [4]float32{1, 2, 3, 4}; v.stats != want {
		t.Errorf("got %v, want %v", v.stats, want)
	}
}
