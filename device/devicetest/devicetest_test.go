package devicetest

import (
	"math"
	"testing"

	"github.com/cnnctl/cnnctl/cpu/ref"
	"github.com/cnnctl/cnnctl/device"
)

// The oracle passes its own suite, rounded to float32: the table is consistent.
func TestOracle(t *testing.T) {
	Run(t, func(testing.TB) device.Device { return ref.New() }, Options{Cases: oneOfEach()})
}

// oneOfEach returns the third case of every family: not the trivial first.
func oneOfEach() []Case {
	var list []Case
	for _, f := range families(Cases()) {
		list = append(list, f[min(2, len(f)-1)])
	}
	return list
}

// A suite that finds nothing proves nothing: every kind of damage to a right result must be reported, for every call.
func TestDamageIsFound(t *testing.T) {
	cases := oneOfEach()
	b := NewBench(t, ref.New(), cases)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			step, _ := b.Load(t, c)
			b.Run(step)
			want := b.Device.(*ref.Device).Float64s(b.used())
			right := b.Read()
			if p := c.problems(b.o, b.image, right, want, Options{}); p != nil {
				t.Fatalf("the right result is reported: %v", p)
			}
			damage := func(what string, word int, v float32) {
				after := append([]float32{}, right...)
				after[word] = v
				if c.problems(b.o, b.image, after, want, Options{}) == nil {
					t.Errorf("%s is not found", what)
				}
			}
			end := 0
			for _, p := range b.o.list {
				damage("a write before "+p.name, p.off-1, 0)
				end = p.off + p.words
				last := end - 1
				if !p.output {
					damage("a change of input "+p.name, last, 12345)
					continue
				}
				damage("an unwritten element of "+p.name, last, poisonFloat)
				damage("a NaN in "+p.name, p.off, float32(math.NaN()))
				damage("an error in "+p.name, last, right[last]+0.01*max(0.1, float32(math.Abs(float64(right[last])))))
			}
			damage("a write behind everything", end, 0)
		})
	}
}

func TestNamesAreUnique(t *testing.T) {
	if err := checkNames(Cases()); err != nil {
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
		{poisonFloat, nan, 1, false},
		{0.1, 0.1, 0, true}, // equal once it is rounded
	} {
		if d := distance(c.got, c.want, c.scale); (d <= 1) != c.ok {
			t.Errorf("distance(%v, %v, %v) = %v, within the tolerance: want %v", c.got, c.want, c.scale, d, c.ok)
		}
	}
}
