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
