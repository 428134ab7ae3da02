//go:build cuda && cgo && linux

package gpu

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/device/devicetest"
)

// forced plans every product with one tile and about so many parts, whatever it costs.
func forced(name string, parts int64, ring int) func(product, Info) plan {
	return func(p product, _ Info) plan {
		if p.only != "" {
			name = p.only
		}
		tl := p.tiles()[slices.IndexFunc(p.tiles(), func(t tile) bool { return t.name == name })]
		stages := ceilDiv(int64(p.depth), int64(p.stageDepth()))
		each := ceilDiv(stages, parts)
		return plan{tl, int(ceilDiv(stages, each)), int(each) * p.stageDepth(), ring}
	}
}

// productCases are cases with several tiles, whole and not, in both directions; with channels that allow 16-byte accesses and such that do not.
func productCases(t *testing.T, p device.Precision, list ...string) []devicetest.Case {
	t.Helper()
	var cases []devicetest.Case
	for _, want := range list {
		n := len(cases)
		for _, c := range devicetest.Cases(p) {
			if strings.Contains(c.Name, want) {
				cases = append(cases, c)
			}
		}
		if len(cases) == n {
			t.Fatalf("no case of the suite is named like %q", want)
		}
	}
	return cases
}

// The cost model chooses small tiles for the small shapes of the suite. Here every tile computes some of them, with its depth whole and in parts, and on
// tensor cores with rings of both sizes.
func TestTiles(t *testing.T) {
	saved := choose
	defer func() { choose = saved }()
	for _, p := range precisions {
		cases := productCases(t, p, "Gemm/65x200x257,ta=false,tb=true,acc=false", "Gemm/64x120x400,ta=true,tb=false,acc=true", "Gemm/33x32x31,ta=true,tb=true,acc=false",
			"Gemm/17x33x15,ta=false,tb=true,acc=false,epilogue=3", "/1x11x8x32", "/1x9x8x6,", "ConvForward/1x17x17x64,f=3x3", "ConvForward/2x15x16x5",
			"ConvBackwardFilter/1x3x5x70")
		for _, tl := range (product{precision: p}).tiles() {
			for ring, parts := range map[int]int64{4: 1, 3: 3} {
				t.Run(fmt.Sprintf("%v, %s in %d", p, tl.name, parts), func(t *testing.T) {
					choose = forced(tl.name, parts, ring)
					devicetest.Run(t, func(t testing.TB) device.Device { return open(t) }, devicetest.Options{Cases: cases})
				})
			}
		}
	}
}

// An operand that does not lie at a multiple of 16 bytes is read and written in single words.
func TestMisalignedProducts(t *testing.T) {
	d := open(t)
	defer d.Close()
	const n = 36
	for shift := int64(0); shift < 16; shift += 4 {
		memory := alloc(t, d, 4*n*n)
		at := func(i int64) device.Mem { return memory.Slice(4*i*n*n+shift, 4*(n*n-4)) }
		a, b, c := at(0), at(1), at(2)
		ones := make([]float32, n*n-4)
		for i := range ones {
			ones[i] = 1
		}
		v := device.Conv{Window: device.Window{N: 1, H: 4, W: 4, C: 8, P: 4, Q: 4, R: 3, S: 3, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, PadTop: 1, PadLeft: 1}, K: 8, Groups: 1}
		for _, k := range []struct {
			call  device.Call
			n     int
			first float32
		}{
			{device.Gemm{M: 32, N: 32, K: 32, A: a, B: b, C: c}, 32 * 32, 32},
			{device.Gemm{M: 32, N: 32, K: 32, TransA: true, TransB: true, A: a, B: b, C: c}, 32 * 32, 32},
			{device.ConvForward{Conv: v, X: a, Weight: b, Y: c}, 128, 4 * 8},
			{device.ConvBackwardData{Conv: v, DY: a, Weight: b, DX: c}, 128, 4 * 8},
			{device.ConvBackwardFilter{Conv: v, X: a, DY: b, DWeight: c}, 576, 9},
		} {
			got := make([]float32, k.n)
			call := k.call
			if w, ok := call.(device.WorkspaceCall); ok {
				if size := d.Workspace(w); size > 0 {
					call = w.WithWorkspace(alloc(t, d, int(size/4)))
				}
			}
			step, err := d.Bind(call)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range []func() error{
				func() error { return d.Upload(a, device.Bytes(ones)) },
				func() error { return d.Upload(b, device.Bytes(ones)) },
				step,
				func() error { return d.Download(device.Bytes(got), c.Slice(0, int64(4*k.n))) },
			} {
				if err := f(); err != nil {
					t.Fatalf("%T, operands at %d: %v", k.call, shift, err)
				}
			}
			if got[0] != k.first {
				t.Errorf("%T, operands at %d: the first element is %v, want %v", k.call, shift, got[0], k.first)
			}
		}
	}
}

// The factors of TF32 are rounded to the nearest of 11 significant bits, where the tensor cores would cut the others off. The suite's tolerance
// hides the difference; a product with 1 shows it.
func TestTF32RoundsToNearest(t *testing.T) {
	const n = 64
	factors := normals(n)
	ones := make([]float32, n*n)
	for i := range n {
		ones[i*n+i] = 1
	}
	for _, c := range []struct{ transA, transB bool }{{false, true}, {true, false}} { // operands along the depth and along the rows
		d := open(t)
		diagonal := make([]float32, n*n)
		for i, v := range factors {
			diagonal[i*n+i] = v
		}
		a, b, y := alloc(t, d, n*n), alloc(t, d, n*n), alloc(t, d, n*n)
		g := device.Gemm{M: n, N: n, K: n, Precision: device.TF32, TransA: c.transA, TransB: c.transB, A: a, B: b, C: y}
		step, err := d.Bind(g)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, n*n)
		if err := errors.Join(d.Upload(a, device.Bytes(diagonal)), d.Upload(b, device.Bytes(ones)), step(), d.Download(device.Bytes(got), y)); err != nil {
			t.Fatal(err)
		}
		for i, v := range factors {
			if want := roundTo(v, 10, true); got[i*n+i] != want {
				t.Errorf("A transposed: %v: %v times 1 is %v, want %v", c.transA, v, got[i*n+i], want)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}
