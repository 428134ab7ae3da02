package ref_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/cnnctl/cnnctl/cpu/ref"
	"github.com/cnnctl/cnnctl/device"
)

// Words that are no numbers must survive the way through float64: the step counter of Hyper, poison patterns.
func TestWordsKeepTheirBits(t *testing.T) {
	words := []uint32{0, 1, 2, 0x7fffff, 0x80000000, 0x80000001, math.Float32bits(1.5), 0x7f800000, 0xff800000,
		0x7f800001, 0x7fbfffff, 0x7fc00000, 0x7fffffff, 0xff800001, 0xffc12345, 0xffffffff}
	d := ref.New()
	m, err := d.Alloc(int64(4 * len(words)))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]uint32, len(words))
	if err := errors.Join(d.Upload(m, device.Bytes(words)), d.Download(device.Bytes(got), m)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, words) {
		t.Errorf("got %#x, want %#x", got, words)
	}
}

func TestDownloadRounds(t *testing.T) {
	d := ref.New()
	m, err := d.Alloc(12)
	if err != nil {
		t.Fatal(err)
	}
	copy(d.Float64s(m), []float64{0.1, 1e300, math.NaN()})
	var got [3]float32
	if err := d.Download(device.Bytes(got[:]), m); err != nil {
		t.Fatal(err)
	}
	if got[0] != 0.1 || !math.IsInf(float64(got[1]), 1) || got[2] == got[2] {
		t.Errorf("got %v, want [0.1 +Inf NaN]", got)
	}
}

func TestMisuseIsAnError(t *testing.T) {
	d := ref.New()
	m, err := d.Alloc(64)
	if err != nil {
		t.Fatal(err)
	}
	fill := device.Fill{N: 16, Y: m}
	step, err := d.Bind(fill)
	if err != nil {
		t.Fatal(err)
	}
	bind := func(c device.Call) error { _, err := d.Bind(c); return err }
	alloc := func(n int64) error { _, err := d.Alloc(n); return err }
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"negative allocation", alloc(-1), device.ErrGeometry},
		{"length of upload", d.Upload(m, make([]byte, 60)), device.ErrGeometry},
		{"length of download", d.Download(make([]byte, 68), m), device.ErrGeometry},
		{"unknown arena", d.Upload(device.Mem{Arena: 7, Len: 4}, make([]byte, 4)), device.ErrGeometry},
		{"beyond the arena", bind(device.Fill{N: 16, Y: device.Mem{Arena: 1, Off: 4, Len: 64}}), device.ErrGeometry},
		{"failed check", bind(device.Fill{N: 17, Y: m}), device.ErrGeometry},
		{"no call", bind(nil), device.ErrUnsupported},
		{"unknown call", bind(unknown{}), device.ErrUnsupported},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: got error %v, want one that is %v", c.name, c.err, c.want)
		}
	}
	if err := errors.Join(step(), d.Sync(), d.Close(), d.Close()); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"step": step(), "sync": d.Sync(), "alloc": alloc(4), "bind": bind(fill),
		"upload": d.Upload(m, make([]byte, 64)), "download": d.Download(make([]byte, 64), m)} {
		if err == nil {
			t.Errorf("%s on a closed device succeeded", name)
		}
	}
}

// unknown is a call that no device knows.
type unknown struct{}

func (unknown) Cost() device.Cost { return device.Cost{} }
func (unknown) Check() error      { return nil }

// Memory is bits, whatever was written there last: words that were uploaded are read as pairs of bfloat16, and results in bfloat16 as words.
func TestBFloat16Memory(t *testing.T) {
	d := ref.New()
	m, err := d.Alloc(24)
	if err != nil {
		t.Fatal(err)
	}
	run := func(c device.Call) {
		t.Helper()
		step, err := d.Bind(c)
		if err := errors.Join(err, step()); err != nil {
			t.Fatal(err)
		}
	}
	half := device.ToBFloat16
	nan := uint16(0x7fd5)
	in := []uint16{half(1), half(-2), half(0.5), nan, half(3), 0x1234, 0, 0, 0, 0, 0, 0}
	if err := d.Upload(m, device.Bytes(in)); err != nil {
		t.Fatal(err)
	}
	// Five of six elements, to the upper halves of words and the lower ones: the sixth and its neighbour must stay.
	run(device.Add{N: 5, Type: device.BFloat16, A: m.Slice(0, 10), B: m.Slice(0, 10), Y: m.Slice(14, 10)})
	out := make([]uint16, 12)
	if err := d.Download(device.Bytes(out), m); err != nil {
		t.Fatal(err)
	}
	if want := []uint16{in[0], in[1], in[2], nan, in[4], 0x1234, 0, half(2), half(-4), half(1), nan, half(6)}; !slices.Equal(out, want) {
		t.Errorf("got %#04x, want %#04x", out, want)
	}
	// Nothing is rounded between calls: 1/3 in bfloat16 and back is 1/3.
	d.Float64s(m)[0] = 1.0 / 3
	run(device.Cast{N: 1, From: device.Float32, To: device.BFloat16, X: m.Slice(0, 4), Y: m.Slice(6, 2)})
	if got := d.Values(m.Slice(6, 2), device.BFloat16)[0]; got != 1.0/3 {
		t.Errorf("got %v, want 1/3", got)
	}
	run(device.Cast{N: 1, From: device.BFloat16, To: device.Float32, X: m.Slice(6, 2), Y: m.Slice(8, 4)})
	if got := d.Float64s(m.Slice(8, 4))[0]; got != 1.0/3 {
		t.Errorf("got %v, want 1/3", got)
	}
	if err := d.Download(device.Bytes(out[:2]), m.Slice(4, 4)); err != nil || out[1] != half(1.0/3) {
		t.Errorf("downloaded %#04x, %v, want %#04x", out[1], err, half(1.0/3))
	}
	// Half a word at the end.
	if err := errors.Join(d.Upload(m.Slice(4, 6), device.Bytes([]uint16{7, 8, 9})), d.Download(device.Bytes(out), m)); err != nil {
		t.Fatal(err)
	}
	if out[2] != 7 || out[3] != 8 || out[4] != 9 || out[5] == 0 {
		t.Errorf("got %#04x", out)
	}
}
