//go:build cuda && cgo && linux

package gpu

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/cnnctl/cnnctl/device"
)

// The peaks are those of NVIDIA's data sheets, dense and with sums in float32.
func TestPeaks(t *testing.T) {
	for _, c := range []struct {
		name                  string
		i                     Info
		clock, memory, width  int     // kHz, kHz, bits
		fp32, tf32, bf16, byt float64 // 1e12 operations, 1e9 bytes a second
	}{
		{"A100 40 GB", Info{Major: 8, Multiprocessors: 108}, 1410000, 1215000, 5120, 19.5, 156, 312, 1555},
		{"RTX 3090", Info{Major: 8, Minor: 6, Multiprocessors: 82}, 1695000, 9751000, 384, 35.6, 35.6, 71, 936},
		{"RTX 4090", Info{Major: 8, Minor: 9, Multiprocessors: 128}, 2520000, 10501000, 384, 82.6, 82.6, 165.2, 1008},
		{"H100 SXM", Info{Major: 9, Multiprocessors: 132}, 1830000, 2619000, 5120, 61.8, 494.7, 989.4, 3352},
		{"RTX 5090", Info{Major: 12, Multiprocessors: 170}, 2407000, 14001000, 512, 104.8, 104.8, 209.5, 1792},
	} {
		for p, want := range map[device.Precision]float64{device.FP32: c.fp32, device.TF32: c.tf32, device.BF16: c.bf16} {
			flops, bytes := c.i.peaks(p, c.clock, c.memory, c.width)
			if math.Abs(flops/1e12-want) > 0.01*want || math.Abs(bytes/1e9-c.byt) > 0.01*c.byt {
				t.Errorf("%s: %v and %v in %v, want %v and %v", c.name, flops/1e12, bytes/1e9, p, want, c.byt)
			}
		}
	}
}

// Steps are done twice, and each has a time.
func TestTime(t *testing.T) {
	d := open(t)
	defer d.Close()
	m := alloc(t, d, 1000)
	double, err := d.Bind(device.Add{N: 1000, A: m, B: m, Y: m})
	if err := errors.Join(err, d.Upload(m, device.Bytes(append(make([]float32, 999), 1)))); err != nil {
		t.Fatal(err)
	}
	times := make([]time.Duration, 3)
	got := make([]float32, 1000)
	if err := errors.Join(d.Time([]device.Step{double, double, double}, times), d.Download(device.Bytes(got), m)); err != nil {
		t.Fatal(err)
	}
	if got[999] != 64 {
		t.Errorf("%v after three steps, twice: want 64", got[999])
	}
	for i, d := range times {
		if d <= 0 || d > time.Minute {
			t.Errorf("step %d took %v", i, d)
		}
	}
	flops, bytes, err := d.Peaks(device.TF32)
	if err != nil || !(flops > 1e11) || !(bytes > 1e9) {
		t.Errorf("peaks %v and %v, %v", flops, bytes, err)
	}
}
