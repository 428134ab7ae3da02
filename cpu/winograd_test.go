package cpu

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/cpu/ref"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/device/devicetest"
)

// growth is by how much the error of minimal filtering, of an m of package kernel, may exceed that of a sum of products. TestWinogradAccuracy measures
// the root mean square; in the largest of many errors of short sums, where the transforms' own roundings outweigh those of the sum, it shows
// more.
func growth(m int) float64 {
	switch m {
	case 4:
		return 3
	case kernel.Four:
		return 10
	}
	return 1
}

// withWinograd returns the suite's convolutions for a device that computes all that minimal filtering can in one way.
func withWinograd(w Winograd) (cases []devicetest.Case, open func(threads int) *Device) {
	for _, c := range devicetest.Cases(device.FP32) {
		if strings.HasPrefix(c.Name, "Conv") {
			switch {
			case w != WinogradOff && strings.Contains(c.Name, ",f=7x7,s=2x2,"): // 4x4 filters after space to depth
				c.Growth = growth(kernel.Four)
			case w == WinogradF4:
				c.Growth = growth(4)
			}
			cases = append(cases, c)
		}
	}
	return cases, func(threads int) *Device {
		d := New(threads)
		d.SetWinograd(w)
		return d
	}
}

// All convolutions that can be computed by minimal filtering pass the suite that way too, whatever their size, on every instruction set.
func TestWinogradConformance(t *testing.T) {
	if !kernel.Available {
		t.Skip("built without cgo")
	}
	best := kernel.Name()
	defer kernel.Use(best)
	for _, name := range []string{"AVX-512", "AVX2", "SSE2", "NEON", "portable"} {
		if !kernel.Use(name) {
			continue
		}
		for _, w := range []Winograd{WinogradOff, WinogradF2, WinogradF4} {
			t.Run(name+"/"+w.String(), func(t *testing.T) {
				cases, open := withWinograd(w)
				devicetest.Run(t, func(testing.TB) device.Device { return open(2) }, devicetest.Options{Cases: cases})
			})
		}
	}
}

func TestWinogradGivesTheSameBits(t *testing.T) {
	for _, w := range []Winograd{WinogradOff, WinogradF2, WinogradF4} {
		cases, open := withWinograd(w)
		sameBits(t, cases, open)
	}
}

func TestSharedTilesGiveTheSameBits(t *testing.T) {
	if !kernel.Available {
		t.Skip("built without cgo")
	}
	v := conv3(2, 7, 2*blockOfFilter+4, 2*blockOfFilter+44)
	for pass, name := range []string{"forward", "backward data", "backward filter"} {
		var first []float32
		for threads := 1; threads <= 3; threads++ {
			d := New(threads)
			d.SetWinograd(WinogradF4)
			got := accuracyRun(t, d, v, pass)
			if first == nil {
				first = got
			}
			if !slices.Equal(got, first) {
				t.Errorf("%s: %d threads give other bits than one", name, threads)
			}
		}
	}
}

func TestParseWinograd(t *testing.T) {
	for _, w := range []Winograd{WinogradAuto, WinogradOff, WinogradF2, WinogradF4} {
		if got, err := ParseWinograd(w.String()); got != w || err != nil {
			t.Errorf("%q: got %v, error %v", w, got, err)
		}
	}
	if _, err := ParseWinograd("f6"); err == nil || !strings.Contains(err.Error(), "wanted auto, off, f2 or f4") {
		t.Errorf("got error %v, want the list of names", err)
	}
}

// The error of minimal filtering against the oracle, beside that of a sum of products, on layers of VGG and ResNet: the figures of
// docs/benchmarks/winograd-accuracy.txt, which go test -v prints.
func TestWinogradAccuracy(t *testing.T) {
	if !kernel.Available {
		t.Skip("built without cgo")
	}
	for _, c := range []struct {
		v      device.Conv
		f2, f4 float64 // by how much errors may grow: about twice what they did
		most   float64 // error
	}{
		{conv3(1, 28, 64, 64), 2, 5, 2.5e-6}, {conv3(1, 28, 128, 128), 2, 5, 2.5e-6}, {conv3(2, 7, 256, 256), 2, 5, 2.5e-6},
		// At stride 2, and where 7x7 filters become 4x4, f2 and f4 are one algorithm, whose transforms have more points than those of F(2, 3).
		{strided3(1, 28, 64, 64), 3, 3, 2.5e-6}, {strided3(1, 28, 128, 128), 3, 3, 2.5e-6}, {strided3(1, 14, 256, 256), 3, 3, 2.5e-6},
		{first(1, 112, 7, 2), 40, 40, 5e-6}, {first(1, 224, 11, 4), 4, 11, 2.5e-6},
	} {
		v := c.v
		for pass, name := range []string{"forward", "backward data", "backward filter"} {
			var errs [4]float64
			want := accuracyRun(t, ref.New(), v, pass)
			for _, w := range []Winograd{WinogradOff, WinogradF2, WinogradF4} {
				d := New(2)
				d.SetWinograd(w)
				errs[w] = relative(accuracyRun(t, d, v, pass), want)
			}
			off, f2, f4 := errs[WinogradOff], errs[WinogradF2], errs[WinogradF4]
			t.Logf("%dx%dx%dx%d to %d, %dx%d, stride %d, %-15s off %.2g  f2 %.2g (%.1fx)  f4 %.2g (%.1fx)",
				v.N, v.H, v.W, v.C, v.K, v.R, v.S, v.StrideH, name, off, f2, f2/off, f4, f4/off)
			if f2 > c.f2*off || f4 > c.f4*off || max(f2, f4) > c.most {
				t.Errorf("%s of %+v: errors %.2g off, %.2g f2, %.2g f4: wanted at most %g and %g times the first, and %g", name, v, off, f2, f4, c.f2, c.f4, c.most)
			}
		}
	}
}

func conv3(n, size, c, k int) device.Conv {
	return device.Conv{Window: device.Window{N: n, H: size, W: size, C: c, P: size, Q: size, R: 3, S: 3, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1,
		PadTop: 1, PadLeft: 1}, K: k, Groups: 1}
}

// strided3 is a convolution at stride 2, padded so that size is halved.
func strided3(n, size, c, k int) device.Conv {
	v := conv3(n, size, c, k)
	v.P, v.Q, v.StrideH, v.StrideW = size/2, size/2, 2, 2
	return v
}

// first is a first layer of 64 filters over an image of three channels.
func first(n, size, filter, stride int) device.Conv {
	v := conv3(n, size, 3, 64)
	v.R, v.S, v.StrideH, v.StrideW, v.PadTop, v.PadLeft = filter, filter, stride, stride, filter/2, filter/2
	v.P, v.Q = size/stride, size/stride
	return v
}

// pass returns a pass of a convolution alone (forward, backward data, backward filter), and where its result lies.
func (r rig) pass(v device.Conv, i int) (device.WorkspaceCall, device.Mem) {
	switch i {
	case 0:
		return device.ConvForward{Conv: v, X: r.x, Weight: r.w, Y: r.y}, r.y
	case 1:
		return device.ConvBackwardData{Conv: v, DY: r.dy, Weight: r.w, DX: r.dx}, r.dx
	}
	return device.ConvBackwardFilter{Conv: v, X: r.x, DY: r.dy, DWeight: r.dw}, r.dw
}

// accuracyRun returns the result of one pass of a convolution of normal numbers.
func accuracyRun(t *testing.T, d device.Device, v device.Conv, pass int) []float32 {
	t.Helper()
	defer d.Close()
	r := newRig(t, d, v, 0)
	c, m := r.pass(v, pass)
	return r.run(t, c, m)
}

// relative returns the root mean square of the error, relative to that of the wanted values.
func relative(got, want []float32) float64 {
	e, s := 0.0, 0.0
	for i, w := range want {
		d := float64(got[i]) - float64(w)
		e += d * d
		s += float64(w) * float64(w)
	}
	return math.Sqrt(e / s)
}
