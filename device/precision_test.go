package device_test

import (
	"math"
	"testing"

	"github.com/cnnctl/cnnctl/device"
)

func TestParsePrecision(t *testing.T) {
	for p := device.FP32; p <= device.BF16; p++ {
		if got, err := device.ParsePrecision(p.String()); err != nil || got != p {
			t.Errorf("%v: got %v, %v", p, got, err)
		}
	}
	for _, s := range []string{"", "FP32", "fp16", "precision(3)"} {
		if p, err := device.ParsePrecision(s); err == nil {
			t.Errorf("%q is %v, wanted an error", s, p)
		}
	}
}

// Rounding is compared with its definition: the nearer neighbour, of two equally near ones the one whose last bit is 0.
func TestToBFloat16(t *testing.T) {
	for _, c := range []struct {
		in   uint32
		want uint16
	}{
		{0x00000000, 0x0000}, {0x80000000, 0x8000},
		{0x3f800000, 0x3f80}, {0x3f807fff, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f808001, 0x3f81},
		{0x3f818000, 0x3f82}, {0x3f817fff, 0x3f81}, {0xbf818000, 0xbf82},
		{0x3fffffff, 0x4000},                       // into the next binade
		{0x7f7f7fff, 0x7f7f}, {0x7f7f8000, 0x7f80}, // the largest finite value and what rounds to infinity
		{0x00000001, 0x0000}, {0x00008000, 0x0000}, {0x00008001, 0x0001}, {0x00018000, 0x0002}, // denormals
		{0x7f800000, 0x7f80}, {0xff800000, 0xff80},
	} {
		if got := device.ToBFloat16(math.Float32frombits(c.in)); got != c.want {
			t.Errorf("%#08x: got %#04x, want %#04x", c.in, got, c.want)
		}
	}
	for _, nan := range []uint32{0x7fc00000, 0x7f800001, 0xffffffff, 0xff808000} {
		if b := device.ToBFloat16(math.Float32frombits(nan)); !math.IsNaN(float64(device.FromBFloat16(b))) {
			t.Errorf("NaN %#08x became %#04x", nan, b)
		}
	}
	for b := range 1 << 16 {
		v := device.FromBFloat16(uint16(b))
		if got := device.ToBFloat16(v); got != uint16(b) && v == v {
			t.Fatalf("%#04x became %#04x", b, got)
		}
	}
}

// What a call needs follows from its fields, and what it costs from the bytes of its elements.
func TestNeeds(t *testing.T) {
	window := device.Window{N: 2, H: 8, W: 8, C: 4, P: 8, Q: 8, R: 1, S: 1, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1}
	for _, p := range []device.Precision{device.FP32, device.TF32, device.BF16} {
		conv := device.Conv{Window: window, K: 4, Groups: 1, Precision: p}
		for _, c := range []device.Call{device.Gemm{M: 1, N: 1, K: 1, Precision: p}, device.ConvForward{Conv: conv},
			device.ConvBackwardData{Conv: conv}, device.ConvBackwardFilter{Conv: conv}} {
			if got := device.Needs(c); got != p {
				t.Errorf("%T in %v needs %v", c, p, got)
			}
		}
	}
	pool := device.MaxPoolForward{Window: window, Type: device.BFloat16}
	if got := device.Needs(pool); got != device.BF16 {
		t.Errorf("pooling of bfloat16 needs %v", got)
	}
	if got, want := pool.Cost().Bytes, int64(2*2*2*8*8*4); got != want {
		t.Errorf("pooling of bfloat16 moves %d bytes, want %d", got, want)
	}
	if got := device.Needs(device.Norm2{N: 1}); got != device.FP32 {
		t.Errorf("the norm of a gradient needs %v", got)
	}
	for _, types := range [][2]device.Type{{device.Float32, device.BFloat16}, {device.BFloat16, device.Float32}} {
		c := device.Cast{N: 3, From: types[0], To: types[1]}
		if got := device.Needs(c); got != device.BF16 || c.Cost().Bytes != 18 {
			t.Errorf("a cast of 3 elements from %v to %v needs %v and moves %d bytes", types[0], types[1], got, c.Cost().Bytes)
		}
	}
	forward := device.ConvForward{Conv: device.Conv{Window: window, K: 4, Groups: 1, Precision: device.BF16}}
	filter := device.ConvBackwardFilter{Conv: forward.Conv}
	if f, b := forward.Cost().Bytes, filter.Cost().Bytes; f != 2*(512+512+16) || b != 2*(512+512)+4*16 {
		t.Errorf("a convolution of 512 by 16 values moves %d bytes forward and %d for its filter", f, b)
	}
}
