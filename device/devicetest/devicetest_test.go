package devicetest

import (
	"math"
	"slices"
	"testing"

	"github.com/cnnctl/cnnctl/cpu/ref"
	"github.com/cnnctl/cnnctl/device"
)

// The oracle passes its own suite, rounded when it is downloaded: the table is consistent.
func TestOracle(t *testing.T) {
	for p := device.FP32; p <= device.BF16; p++ {
		t.Run(p.String(), func(t *testing.T) {
			Run(t, func(testing.TB) device.Device { return ref.New() }, Options{Cases: oneOfEach(p)})
		})
	}
}

// oneOfEach returns the third case of every family, not the trivial first, and a shifted one if there is any.
func oneOfEach(p device.Precision) []Case {
	var list []Case
	for _, f := range families(Cases(p)) {
		list = append(list, f[min(2, len(f)-1)])
		if i := slices.IndexFunc(f, func(c Case) bool { return c.Shifted }); i >= 0 && i != min(2, len(f)-1) {
			list = append(list, f[i])
		}
	}
	return list
}

// A suite that finds nothing proves nothing: every kind of damage to a right result must be reported, for every call.
func TestDamageIsFound(t *testing.T) {
	for p := device.FP32; p <= device.BF16; p++ {
		t.Run(p.String(), func(t *testing.T) { findDamage(t, oneOfEach(p)) })
	}
}

// rms returns the root mean square of numbers, or 0 if they are none.
func rms(v []float32) float32 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if r := math.Sqrt(sum / float64(len(v))); r < math.MaxFloat32 {
		return float32(r)
	}
	return 0
}

func findDamage(t *testing.T, cases []Case) {
	b := NewBench(t, ref.New(), cases)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			step, _ := b.Load(t, c)
			b.Run(step)
			want := b.exact()
			right := b.Read()
			if p := c.problems(b.o, b.image, right, want); p != nil {
				t.Fatalf("the right result is reported: %v", p)
			}
			damage := func(what string, at int, memory []byte) {
				after := append([]float32{}, right...)
				copy(device.Bytes(after)[at:], memory)
				if c.problems(b.o, b.image, after, want) == nil {
					t.Errorf("%s is not found", what)
				}
			}
			end := 0
			for _, p := range b.o.list {
				size := int(p.typ.Size())
				damage("a write before "+p.name, p.off-size, make([]byte, size))
				end = p.end()
				last := end - size
				if !p.output {
					damage("a change of input "+p.name, last, encode([]float32{12345}, p.typ))
					continue
				}
				damage("an unwritten element of "+p.name, last, poisoned[:size])
				damage("a NaN in "+p.name, p.off, encode([]float32{float32(math.NaN())}, p.typ))
				// An error of one percent, or of two where the result itself is rounded to 8 bits, of the element or, as tolerances are in units of
				// both, of the result's usual size.
				all := decode(device.Bytes(right)[p.off:end], p.typ)
				v := all[len(all)-1]
				damage("an error in "+p.name, last, encode([]float32{v + (0.01+3*float32(rounding(p.typ)))*max(0.1, float32(math.Abs(float64(v))), rms(all))}, p.typ))
			}
			damage("a write behind everything", end, make([]byte, 2))
		})
	}
}

func TestNamesAreUnique(t *testing.T) {
	if err := checkNames(Cases(device.BF16)); err != nil {
		t.Error(err)
	}
	if checkNames([]Case{{Name: "a"}, {Name: "b"}, {Name: "a"}}) == nil {
		t.Error("two equal names are not found")
	}
}

func TestDistance(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		got         float32
		want, scale float64
		ok          bool
	}{
		{1, 1, 0, true},
		{1.5, 1, 1, true},
		{2.5, 1, 1, false},
		{1.5, 1, 0, false},
		{float32(inf), inf, 1, true},
		{float32(inf), -inf, 1, false},
		{float32(inf), 1, 1, false},
		{1, inf, 1, false},
		{float32(nan), nan, 0, true},
		{float32(nan), 1, 1, false},
		{1, nan, 1, false},
		{math.Float32frombits(poison), nan, 1, false},
		{0.1, 0.1, 0, true}, // equal once it is rounded
	} {
		if d := distance(c.got, c.want, c.scale, device.Float32); (d <= 1) != c.ok {
			t.Errorf("distance(%v, %v, %v) = %v, within the tolerance: want %v", c.got, c.want, c.scale, d, c.ok)
		}
	}
}
