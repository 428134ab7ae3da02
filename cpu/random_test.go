package cpu

import (
	"fmt"
	"math"
	"testing"

	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/cpu/ref"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/philox"
)

// randomConv draws a geometry; every one is legal.
func randomConv(rnd *philox.Stream) device.Conv {
	pick := func(values ...int) int { return values[rnd.IntN(len(values))] }
	v := device.Conv{Groups: pick(1, 1, 1, 2, 3)}
	v.N, v.C, v.K = 1+rnd.IntN(3), v.Groups*pick(1, 1, 2, 3, 5, 8, 17), v.Groups*pick(1, 2, 6, 8, 13, 16, 33, 50)
	v.H, v.W = 1+rnd.IntN(20), 1+rnd.IntN(40)
	v.R, v.S = pick(1, 2, 3, 5, 7), pick(1, 2, 3, 5, 11)
	v.StrideH, v.StrideW = pick(1, 1, 1, 2, 3, 4), pick(1, 1, 1, 2, 3, 4)
	v.DilH, v.DilW = pick(1, 1, 1, 2, 3), pick(1, 1, 1, 2, 3)
	v.PadTop, v.PadLeft = rnd.IntN(v.R*v.DilH+1), rnd.IntN(v.S*v.DilW+1)
	if rnd.IntN(3) == 0 { // what minimal filtering is for
		v.R, v.S, v.DilH, v.DilW = 3, 3, 1, 1
		v.StrideH = pick(1, 2)
		v.StrideW = v.StrideH
		v.PadTop, v.PadLeft = rnd.IntN(4), rnd.IntN(4)
	}
	if rnd.IntN(4) == 0 { // and what it is for after space to depth
		s, taps := pick(2, 3, 4), pick(3, 4)
		v.Groups, v.C, v.StrideH, v.StrideW, v.DilH, v.DilW = 1, pick(1, 3, 5), s, s, 1, 1
		v.R, v.S = s*taps-rnd.IntN(s), s*taps-rnd.IntN(s)
		v.PadTop, v.PadLeft = rnd.IntN(v.R+1), rnd.IntN(v.S+1)
	}
	// Any number of outputs is legal: what lies beyond the image is padding.
	v.P, v.Q = 1+rnd.IntN(1+v.H/v.StrideH), 1+rnd.IntN(2+v.W/v.StrideW)
	return v
}

// wideConv draws a geometry of few tiles and many channels, which minimal filtering computes from shared tiles. It has 32 windows at least: of fewer, the
// largest error of so many sums is that of the transforms (see growth).
func wideConv(rnd *philox.Stream) device.Conv {
	v := conv3(1, 0, 2*blockOfFilter+1+rnd.IntN(70), 2*blockOfFilter+1+rnd.IntN(70))
	v.N, v.H, v.W = 2, 5+rnd.IntN(4), 5+rnd.IntN(4)
	v.P, v.Q, v.PadTop, v.PadLeft = v.H-rnd.IntN(2), v.W-rnd.IntN(2), rnd.IntN(3), rnd.IntN(3)
	return v
}

// rig is a device with the operands of one convolution in one arena.
type rig struct {
	d                    device.Device
	x, w, dy, bias, skip device.Mem // read
	y, dx, dw            device.Mem // written, or added to
}

func newRig(t testing.TB, d device.Device, v device.Conv, seed int) rig {
	rnd := philox.New(2, philox.Test, seed, 0)
	fill := func(n int) device.Mem {
		m, err := d.Alloc(4 * int64(n))
		if err != nil {
			t.Fatal(err)
		}
		s := make([]float32, n)
		for i := range s {
			s[i] = float32(rnd.Normal())
		}
		if err := d.Upload(m, device.Bytes(s)); err != nil {
			t.Fatal(err)
		}
		return m
	}
	return rig{d, fill(v.In()), fill(v.FilterLen()), fill(v.Out(v.K)), fill(v.K), fill(v.Out(v.K)),
		fill(v.Out(v.K)), fill(v.In()), fill(v.FilterLen())}
}

// bind binds a call with the workspace that it wants.
func (r rig) bind(t testing.TB, c device.WorkspaceCall) device.Step {
	t.Helper()
	var bound device.Call = c
	if ws, ok := r.d.(device.Workspacer); ok {
		if n := ws.Workspace(c); n > 0 {
			w, err := r.d.Alloc(n)
			if err != nil {
				t.Fatal(err)
			}
			bound = c.WithWorkspace(w)
		}
	}
	step, err := r.d.Bind(bound)
	if err != nil {
		t.Fatal(err)
	}
	return step
}

// run runs a call and returns what m holds then.
func (r rig) run(t *testing.T, c device.WorkspaceCall, m device.Mem) []float32 {
	t.Helper()
	err := r.bind(t, c)()
	out := make([]float32, m.Floats())
	if err == nil {
		err = r.d.Download(device.Bytes(out), m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The three passes of convolutions of any geometry equal the oracle's: strides, dilations, groups and padding in combinations that no
// list of cases holds, the kernels for few channels and few filters, and minimal filtering with few channels and with many among them.
func TestRandomConvolutions(t *testing.T) {
	check := func(t *testing.T) {
		rnd := philox.New(1, philox.Test, 0, 0)
		for i := range 128 {
			v, w := randomConv(rnd), Winograd(i/3%4)
			if i >= 120 {
				v, w = wideConv(rnd), WinogradF2+Winograd(i/2%2)
			}
			acc, act := i%2 == 1, device.Act(i%3)
			native, oracle := New(1+i%3), ref.New()
			native.SetWinograd(w)
			l := lower(v)
			_, deep := native.deepen(v)
			factor := growth(max(native.minimal(&l), deep))
			a, b := newRig(t, native, v, i), newRig(t, oracle, v, i)
			for _, pass := range []struct {
				name  string
				terms int
				call  func(r rig) (device.WorkspaceCall, device.Mem)
			}{
				{"forward", v.R * v.S * v.C / v.Groups, func(r rig) (device.WorkspaceCall, device.Mem) {
					return device.ConvForward{Conv: v, X: r.x, Weight: r.w, Y: r.y,
						Epilogue: device.Epilogue{Bias: r.bias, Residual: r.skip, Act: act}}, r.y
				}},
				{"backward data", v.R * v.S * v.K / v.Groups, func(r rig) (device.WorkspaceCall, device.Mem) {
					return device.ConvBackwardData{Conv: v, DY: r.dy, Weight: r.w, DX: r.dx, Accumulate: acc}, r.dx
				}},
				{"backward filter", v.N * v.P * v.Q, func(r rig) (device.WorkspaceCall, device.Mem) {
					return device.ConvBackwardFilter{Conv: v, X: r.x, DY: r.dy, DWeight: r.dw, Accumulate: acc}, r.dw
				}},
			} {
				ca, ma := pass.call(a)
				cb, mb := pass.call(b)
				if err := compareSums(a.run(t, ca, ma), b.run(t, cb, mb), pass.terms, factor); err != nil {
					t.Errorf("%s of %+v, accumulate %v: %v", pass.name, v, acc, err)
				}
			}
			if err := native.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !kernel.Available {
		check(t)
		return
	}
	best := kernel.Name()
	defer kernel.Use(best)
	for _, name := range []string{"AVX-512", "AVX2", "SSE2", "NEON", "portable"} {
		if kernel.Use(name) {
			t.Run(name, check)
		}
	}
}

// compareSums compares sums of terms products of standard normal values, with package devicetest's tolerance.
func compareSums(got, want []float32, terms int, growth float64) error {
	root := math.Sqrt(float64(terms)) // the size of such a sum
	tolerance := growth * (16 + 4*root) / (1 << 24)
	for i, g := range got {
		if d := math.Abs(float64(g - want[i])); !(d <= tolerance*(math.Abs(float64(want[i]))+root)) {
			return fmt.Errorf("element %d is %v, want %v", i, g, want[i])
		}
	}
	return nil
}
