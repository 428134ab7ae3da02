package devicetest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/cpu/ref"
	"github.com/cnnctl/cnnctl/device"
)

// Options adapts the suite to a device.
type Options struct {
	// Epsilon is the relative rounding error of the factors of products, where a device computes these with less than
	// float32: 2^-11 for tf32, 2^-8 for bf16. 0 means float32.
	Epsilon float64
	// Cases replaces the table, for devices on which all of it takes too long.
	Cases []Case
}

var poisonFloat = math.Float32frombits(poison)

// Run runs the suite. newDevice is called once; the suite closes the device.
//
// For each case: every element of the outputs is within the tolerance of the oracle; nothing else changed, neither inputs nor the guards
// around operands and workspace; and a second run, which finds the workspace dirty, gives the same bits. Then Bind must
// reject what Check rejects, and operands that do not lie in the device's memory.
func Run(t *testing.T, newDevice func(testing.TB) device.Device, opt Options) {
	cases := opt.Cases
	if cases == nil {
		cases = Cases()
	}
	d := newDevice(t)
	t.Cleanup(func() {
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	dev, oracle := NewBench(t, d, cases), NewBench(t, ref.New(), cases)
	for _, family := range families(cases) {
		t.Run(family[0].family(), func(t *testing.T) {
			for _, c := range family {
				t.Run(c.Name[len(c.family())+1:], func(t *testing.T) { c.run(t, dev, oracle, opt) })
			}
		})
	}
	t.Run("Reject", func(t *testing.T) { rejects(t, dev, cases) })
}

// family is the type of the call.
func (c Case) family() string {
	f, _, _ := strings.Cut(c.Name, "/")
	return f
}

// families groups adjacent cases of one family.
func families(cases []Case) [][]Case {
	var list [][]Case
	for i, c := range cases {
		if i == 0 || c.family() != cases[i-1].family() {
			list = append(list, nil)
		}
		list[len(list)-1] = append(list[len(list)-1], c)
	}
	return list
}

func (c Case) run(t *testing.T, dev, oracle *Bench, opt Options) {
	step, _ := oracle.Load(t, c)
	oracle.Run(step)
	want := oracle.Device.(*ref.Device).Float64s(oracle.used())

	step, call := dev.Load(t, c)
	dev.Run(step)
	got := dev.Read()
	dev.checkWork(call)
	for _, p := range c.problems(dev.o, dev.image, got, want, opt) {
		t.Error(p)
	}

	dev.Reset()
	dev.Run(step)
	for i, v := range dev.Read() {
		if math.Float32bits(v) != math.Float32bits(got[i]) {
			t.Fatalf("the second run gives %v at word %d of the arena, the first gave %v", v, i, got[i])
		}
	}
}

// problems compares an arena after the call with the one before it and with the oracle's, and says what is wrong.
func (c Case) problems(o *Operands, before, after []float32, want []float64, opt Options) []string {
	var list []string
	same := func(lo, hi int, what, name string) {
		for i := lo; i < hi; i++ {
			if math.Float32bits(after[i]) != math.Float32bits(before[i]) {
				list = append(list, fmt.Sprintf("%s %s: word %d changed from %v to %v", what, name, i-lo, before[i], after[i]))
				return
			}
		}
	}
	end := 0
	for _, p := range o.list {
		same(end, p.off, "the guard before", p.name)
		end = p.off + p.words
		if !p.output {
			same(p.off, end, "input", p.name)
			continue
		}
		if d := worst(p.compare, after[p.off:end], want[p.off:end], c.tolerance(opt)); !(d.error <= 1) {
			list = append(list, fmt.Sprintf("%s: %v", p.name, d))
		}
	}
	same(end, len(after), "the guard behind", "all operands")
	return list
}
