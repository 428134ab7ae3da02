package device_test

import (
	"errors"
	"math"
	"testing"

	"github.com/cnnctl/cnnctl/device"
)

func TestHyperRoundTrip(t *testing.T) {
	want := device.Hyper{Step: 0xfedcba98, LR: 0.1, Momentum: 0.9, Correct1: 0.5, Correct2: 1e-3, EMADecay: 0.9999}
	var b [4 * device.HyperWords]byte
	want.Encode(b[:])
	if got := device.DecodeHyper(b[:]); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestSlice(t *testing.T) {
	m := device.Mem{Arena: 2, Off: 256, Len: 100}
	if got, want := m.Slice(40, 60), (device.Mem{Arena: 2, Off: 296, Len: 60}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, part := range [][2]int64{{-1, 4}, {0, 101}, {97, 4}, {0, -1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("part %v of 100 bytes did not panic", part)
				}
			}()
			m.Slice(part[0], part[1])
		}()
	}
}

func TestAlignUp(t *testing.T) {
	for n, want := range map[int64]int64{0: 0, 1: 256, 255: 256, 256: 256, 257: 512} {
		if got := device.AlignUp(n); got != want {
			t.Errorf("AlignUp(%d) = %d, want %d", n, got, want)
		}
	}
}

// The divisors that PyTorch's documentation of count_include_pad and ceil_mode implies.
func TestDivisor(t *testing.T) {
	f := device.AvgPoolForward{
		Window:    device.Window{N: 1, H: 4, W: 4, C: 1, P: 3, Q: 3, R: 3, S: 3, StrideH: 2, StrideW: 2, DilH: 1, DilW: 1, PadTop: 1, PadLeft: 1},
		PadBottom: 1, PadRight: 1,
	}
	for _, c := range []struct {
		p, q    int
		exclude bool
		want    int
	}{
		{0, 0, false, 9}, {0, 0, true, 4}, {1, 1, false, 9}, {1, 1, true, 9},
		{2, 2, false, 4}, // the window leaves the padding: rows 3 to 5, of which 5 does not count
		{2, 2, true, 1},
		{2, 1, false, 6},
	} {
		f.ExcludePad = c.exclude
		if got := f.Divisor(c.p, c.q); got != c.want {
			t.Errorf("output (%d, %d), exclude padding %v: got %d, want %d", c.p, c.q, c.exclude, got, c.want)
		}
	}
}

func TestAdaptiveSpan(t *testing.T) {
	for _, c := range []struct{ o, in, outputs, lo, hi int }{
		{0, 7, 1, 0, 7}, {0, 7, 3, 0, 3}, {1, 7, 3, 2, 5}, {2, 7, 3, 4, 7}, {0, 2, 5, 0, 1}, {2, 2, 5, 0, 2}, {4, 2, 5, 1, 2},
	} {
		if lo, hi := device.AdaptiveSpan(c.o, c.in, c.outputs); lo != c.lo || hi != c.hi {
			t.Errorf("output %d of %d over %d inputs: got [%d, %d), want [%d, %d)", c.o, c.outputs, c.in, lo, hi, c.lo, c.hi)
		}
	}
}

func TestChecks(t *testing.T) {
	m := func(words int64) device.Mem { return device.Mem{Arena: 1, Len: 4 * words} }
	window := device.Window{N: 1, H: 4, W: 4, C: 2, P: 2, Q: 2, R: 3, S: 3, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1}
	conv := device.ConvForward{Conv: device.Conv{Window: window, K: 2, Groups: 2}, X: m(32), Weight: m(18), Y: m(8)}
	if err := conv.Check(); err != nil {
		t.Fatalf("a sound call: %v", err)
	}
	groups, padded, huge, pixel := conv, window, conv, window
	pixel.H, pixel.W, pixel.P, pixel.Q, pixel.R, pixel.S = 1, 1, 1, 1, 1, 1
	groups.Groups = 3
	padded.PadTop, padded.P = 4, 6 // the first windows end before the image
	huge.N, huge.H, huge.W = 1<<30, 1<<30, 1<<30
	update := device.Update{N: 10, W: m(10), G: m(10), Norm: m(1), Hyper: m(device.HyperWords)}
	overlap := update
	overlap.Segments = []device.Segment{{Off: 0, Len: 5}, {Off: 4, Len: 2}}
	outside := update
	outside.Segments = []device.Segment{{Off: 5, Len: 6}}
	short := conv
	short.Weight = m(17)
	for _, c := range []struct {
		name    string
		call    device.Call
		operand bool // wrong in an operand only
	}{
		{"channels that do not divide into groups", groups, false},
		{"windows without a pixel", device.MaxPoolForward{Window: padded, X: m(32), Y: m(24)}, false},
		{"sizes that overflow", huge, false},
		{"overlapping segments", device.SGD{Update: overlap}, false},
		{"a segment outside the slab", device.SGD{Update: outside}, false},
		{"Nesterov without momentum", device.SGD{Update: update, Nesterov: true}, false},
		{"accumulating with an epilogue", device.Gemm{M: 1, N: 1, K: 1, A: m(1), B: m(1), C: m(1), Accumulate: true,
			Epilogue: device.Epilogue{Act: device.ReLU}}, false},
		{"a single row to estimate a variance", device.BatchNormForward{Rows: 1, C: 1}, false},
		{"a single pixel to estimate a variance", device.BatchNormMaxPoolForward{Window: pixel}, false},
		{"a dropped everything", device.Dropout{N: 1, P: 1, X: m(1), Y: m(1), Hyper: m(8)}, false},
		{"a short operand", short, true},
		{"a missing operand", device.Fill{N: 1}, true},
		{"an odd address", device.Fill{N: 1, Y: device.Mem{Arena: 1, Off: 2, Len: 4}}, true},
	} {
		err := c.call.Check()
		if !errors.Is(err, device.ErrGeometry) || errors.Is(err, device.ErrOperand) != c.operand {
			t.Errorf("%s: got error %v, want ErrGeometry, and ErrOperand: %v", c.name, err, c.operand)
		}
	}
}

func TestConvCost(t *testing.T) {
	// The first layer of AlexNet as published: 96 filters of 11x11x3 on 55x55 output pixels.
	v := device.Conv{Window: device.Window{N: 1, H: 227, W: 227, C: 3, P: 55, Q: 55, R: 11, S: 11, StrideH: 4, StrideW: 4, DilH: 1, DilW: 1}, K: 96, Groups: 1}
	if got, want := (device.ConvForward{Conv: v}).Cost().FLOPs, int64(2*105_415_200); got != want {
		t.Errorf("got %d FLOPs, want %d", got, want)
	}
	depthwise := v
	depthwise.K, depthwise.Groups = 3, 3
	if got, want := (device.ConvBackwardFilter{Conv: depthwise}).Cost().FLOPs, int64(2*3*55*55*121); got != want {
		t.Errorf("depthwise: got %d FLOPs, want %d", got, want)
	}
}

func TestDropoutThreshold(t *testing.T) {
	for p, want := range map[float32]uint32{0: 0, 0.5: 1 << 31, 0.25: 1 << 30} {
		if got := (device.Dropout{P: p}).Threshold(); got != want {
			t.Errorf("p=%v: got %d, want %d", p, got, want)
		}
	}
	if got := (device.Dropout{P: math.Nextafter32(1, 0)}).Threshold(); got < 0xffffff00 {
		t.Errorf("p just below 1: got %#x", got)
	}
}
