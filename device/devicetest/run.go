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
	// Cases replaces the table in float32: another precision, or a part of it where all of it takes too long.
	Cases []Case
}

// Run runs the suite. newDevice is called once; the suite closes the device.
//
// For each case: every element of the outputs is within the tolerance of the oracle; nothing else changed, neither inputs nor the guards
// around operands and workspace; and a second run, which finds the workspace dirty, gives the same bits. Then Bind must
// reject what Check rejects, and operands that do not lie in the device's memory.
func Run(t *testing.T, newDevice func(testing.TB) device.Device, opt Options) {
	cases := opt.Cases
	if cases == nil {
		cases = Cases(device.FP32)
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
				t.Run(c.Name[len(c.family())+1:], func(t *testing.T) { c.run(t, dev, oracle) })
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

func (c Case) run(t *testing.T, dev, oracle *Bench) {
	step, _ := oracle.Load(t, c)
	oracle.Run(step)
	want := oracle.exact()

	step, call := dev.Load(t, c)
	dev.Run(step)
	got := dev.Read()
	dev.checkWork(call)
	for _, p := range c.problems(dev.o, dev.image, got, want) {
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

// exact returns the operands of an oracle after the call, at full precision.
func (b *Bench) exact() [][]float64 {
	var list [][]float64
	for _, p := range b.o.list {
		list = append(list, b.Device.(*ref.Device).Values(b.arena.Slice(int64(p.off), int64(p.end()-p.off)), p.typ))
	}
	return list
}

// problems compares an arena after the call with the one before it and with the oracle's operands, and says what is wrong.
func (c Case) problems(o *Operands, before, after []float32, want [][]float64) []string {
	was, is := device.Bytes(before), device.Bytes(after)
	var list []string
	same := func(lo, hi int, what, name string) {
		for i := lo; i < hi; i++ {
			if is[i] != was[i] {
				list = append(list, fmt.Sprintf("%s %s: byte %d changed from %#02x to %#02x", what, name, i-lo, was[i], is[i]))
				return
			}
		}
	}
	end := 0
	for i, p := range o.list {
		same(end, p.off, "the guard before", p.name)
		end = p.end()
		if !p.output {
			same(p.off, end, "input", p.name)
			continue
		}
		if d := worst(p, decode(is[p.off:end], p.typ), want[i], c.tolerance()); !(d.error <= 1) {
			list = append(list, fmt.Sprintf("%s: %v", p.name, d))
		}
	}
	same(end, len(is), "the guard behind", "all operands")
	return list
}
