//go:build cuda && cgo && linux

package gpu

import (
	"math"
	"math/bits"
	"testing"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/philox"
)

// probe runs a kernel of probe.cu on one warp. Its first argument is a buffer that holds out and comes back in it, its second is in, and the
// rest follow.
func probe[O, I device.Word](t *testing.T, d *Device, name string, shared int, out []O, in []I, rest ...any) {
	t.Helper()
	y, x := alloc(t, d, len(out)), alloc(t, d, len(in))
	if err := d.Upload(y, device.Bytes(out)); err != nil {
		t.Fatal(err)
	}
	if err := d.Upload(x, device.Bytes(in)); err != nil {
		t.Fatal(err)
	}
	b := &binder{dev: d}
	b.launchShared("probe", name, grid{}, shared, append([]any{b.mem(y), b.mem(x)}, rest...)...)
	if b.err != nil {
		t.Fatal(b.err)
	}
	if err := d.run(b.launches); err != nil {
		t.Fatal(err)
	}
	if err := d.Download(device.Bytes(out), y); err != nil {
		t.Fatal(err)
	}
}

func normals(n int) []float32 {
	s, v := philox.New(3, philox.Test, n, 0), make([]float32, n)
	for i := range v {
		v[i] = float32(s.Normal())
	}
	return v
}

// roundBF16 and roundTF32 round as float64 arithmetic does it: an independent way to the instructions' results.
func roundTo(v float32, fraction int, awayFromZero bool) float32 {
	x := float64(v)
	if math.IsNaN(x) || math.IsInf(x, 0) || x == 0 {
		return v
	}
	_, e := math.Frexp(x)
	unit := math.Ldexp(1, max(e-1, -126)-fraction)
	q := x / unit
	if awayFromZero {
		q = math.Round(q)
	} else {
		q = math.RoundToEven(q)
	}
	return float32(q * unit)
}

func TestMatrixProducts(t *testing.T) {
	d := open(t)
	defer d.Close()
	for _, c := range []struct {
		name     string
		k        int
		fraction int
		away     bool
	}{{"probe_mma_tf32", 8, 10, true}, {"probe_mma_bf16", 16, 7, false}} {
		a, b, got := normals(16*c.k), normals(c.k*8), normals(16*8)
		want := make([]float64, len(got))
		for i := range want {
			want[i] = float64(got[i])
			for k := range c.k {
				want[i] += float64(roundTo(a[i/8*c.k+k], c.fraction, c.away)) * float64(roundTo(b[k*8+i%8], c.fraction, c.away))
			}
		}
		m := alloc(t, d, len(b))
		if err := d.Upload(m, device.Bytes(b)); err != nil {
			t.Fatal(err)
		}
		p, _ := d.address(m)
		probe(t, d, c.name, 0, got, a, p)
		for i, v := range got {
			if math.Abs(float64(v)-want[i]) > 1e-5 {
				t.Errorf("%s: element (%d, %d) is %v, want %v", c.name, i/8, i%8, v, want[i])
			}
		}
	}
}

func TestLoadMatrix(t *testing.T) {
	d := open(t)
	defer d.Close()
	half := func(matrix, row, column int) uint32 { return uint32(64*matrix + 8*row + column) }
	in := make([]uint32, 128) // four matrices of 8 rows of 4 words
	for i := range in {
		in[i] = half(i/32, i/4%8, i%4*2) | half(i/32, i/4%8, i%4*2+1)<<16
	}
	got := make([]uint32, 512)
	probe(t, d, "probe_load_matrix", 0, got, in)
	for i, v := range got {
		variant, matrix, lane := i/128, i/32%4, i%32
		if variant >= 2 && matrix >= 2 {
			continue // not written
		}
		outer, inner := lane/4, lane%4*2
		want := half(matrix, outer, inner) | half(matrix, outer, inner+1)<<16
		if variant%2 == 1 {
			want = half(matrix, inner, outer) | half(matrix, inner+1, outer)<<16
		}
		if v != want {
			t.Errorf("variant %d, matrix %d, lane %d: %#x, want %#x", variant, matrix, lane, v, want)
		}
	}
}

func TestAsynchronousCopies(t *testing.T) {
	d := open(t)
	defer d.Close()
	in := make([]uint32, 224)
	for i := range in {
		in[i] = uint32(i + 1)
	}
	for _, c := range []struct {
		name  string
		words int
	}{{"probe_copy_async_4", 1}, {"probe_copy_async_8", 2}, {"probe_copy_async_16", 4}} {
		for _, n := range []int{0, 1, 5, 112, 117, 223, 224} {
			got := make([]uint32, 224)
			probe(t, d, c.name, 4*224, got, in, int32(n))
			for i, v := range got {
				from := 111 - i
				if i >= 112 {
					from = 335 - i
				}
				want := in[from]
				if from/c.words*c.words+c.words > n {
					want = 0
				}
				if v != want {
					t.Fatalf("%s, n = %d: word %d is %d, want %d", c.name, n, i, v, want)
				}
			}
		}
	}
}

func TestConversions(t *testing.T) {
	d := open(t)
	defer d.Close()
	in := append(normals(200), 0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.Inf(-1)), 1, 65504, 1e30, -1e-30)
	for _, w := range []uint32{0x3f808000, 0x3f818000, 0x3f807fff, 0x3f808001, 0x3f801000, 0x3f800fff, 0x3f803000, 0xbf801000, 0x7f000000} { // halfway cases
		in = append(in, math.Float32frombits(w))
	}
	n := len(in)
	got := make([]uint32, 5*n)
	probe(t, d, "probe_convert", 0, got, in, int32(n))
	for i, x := range in {
		tf32, bf16 := roundTo(x, 10, true), math.Float32bits(roundTo(x, 7, false))
		for k, want := range []uint32{math.Float32bits(tf32), bf16 >> 16, bf16 >> 16, bf16>>16 ^ 0x8000, bf16} {
			if g := got[k*n+i]; g != want {
				t.Errorf("conversion %d of %v (%#x): %#x, want %#x", k, x, math.Float32bits(x), g, want)
			}
		}
	}
}

func TestWarp(t *testing.T) {
	d := open(t)
	defer d.Close()
	in := make([]uint32, 32)
	var ballot, sum uint32
	for i := range in {
		in[i] = uint32(i*i) + 6
		sum += in[i]
		if in[i]%3 == 0 {
			ballot |= 1 << i
		}
	}
	if n := bits.OnesCount32(ballot); n == 0 || n == 32 {
		t.Fatalf("%d lanes vote for it, wanted some", n)
	}
	got := make([]uint32, 8*32)
	probe(t, d, "probe_warp", 0, got, in)
	for i := range 32 {
		down, up := i+3, i-3
		if down > 31 {
			down = i
		}
		if up < 0 {
			up = i
		}
		for k, want := range []uint32{in[(i+5)%32], in[i^9], in[down], in[up], ballot, 1, 0, uint32(float64(sum) / 3)} {
			if g := got[32*k+i]; g != want {
				t.Errorf("operation %d, lane %d: %d, want %d", k, i, g, want)
			}
		}
	}
}
