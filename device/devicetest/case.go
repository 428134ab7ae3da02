// Package devicetest is the conformance suite of package device: one table of cases for every call, with shapes around the edges
// of tiles, that every device runs against the float64 oracle of package cpu/ref.
//
// The table is exported, so that benchmarks and tests of one device (no allocation in a step, the same bits with any number of
// threads) use the same cases.
package devicetest

import (
	"fmt"
	"hash/fnv"
	"math"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/philox"
)

// A Case is one call with operands.
type Case struct {
	Name string // unique; begins with the type of the call and a slash
	// Call places the operands in o, always in the same order, and returns the call.
	Call func(o *Operands) device.Call
	// Terms is the number of terms of the longest sum, which the error may grow with.
	Terms int
	// Product marks the calls that a device may compute with the reduced precision of Options.Epsilon.
	Product bool
}

// How an output is compared with the oracle.
type compare int

const (
	normalised compare = iota // error relative to the operand's root mean square
	exact                     // equal
	statistics                // device.Stats: the loss relative to itself, the counters exactly
)

// An operand is a range of the arena that a case uses.
type operand struct {
	name       string
	off, words int
	fill       Fill // nil if the operand is only written
	output     bool
	compare    compare
}

// Operands places the operands of one case in one arena, with guards between them. The first pass, over a zero
// base, only measures.
type Operands struct {
	base device.Mem
	list []operand
	end  int // words
}

// guard is the number of words between operands. Operands start at multiples of it.
const guard = device.Align / 4

func (o *Operands) place(p operand) device.Mem {
	p.off = o.end + guard
	o.end = p.off + (p.words+guard-1)/guard*guard
	o.list = append(o.list, p)
	m := device.Mem{Arena: o.base.Arena, Off: o.base.Off + 4*int64(p.off), Len: 4 * int64(p.words)}
	if o.base.IsZero() {
		m.Arena = 1
	}
	return m
}

// in places an operand of n words that the call reads and must not change.
func (o *Operands) in(name string, n int, f Fill) device.Mem {
	return o.place(operand{name: name, words: n, fill: f})
}

// out places an operand that the call writes altogether.
func (o *Operands) out(name string, n int) device.Mem {
	return o.place(operand{name: name, words: n, output: true})
}

// outAs is out with another comparison.
func (o *Operands) outAs(how compare, name string, n int) device.Mem {
	return o.place(operand{name: name, words: n, output: true, compare: how})
}

// inout places an operand that the call reads and writes.
func (o *Operands) inout(name string, n int, f Fill) device.Mem {
	return o.place(operand{name: name, words: n, fill: f, output: true})
}

// inoutAs is inout with another comparison.
func (o *Operands) inoutAs(how compare, name string, n int, f Fill) device.Mem {
	return o.place(operand{name: name, words: n, fill: f, output: true, compare: how})
}

// result places an output that is added to if acc is set.
func (o *Operands) result(name string, n int, acc bool) device.Mem {
	if acc {
		return o.inout(name, n, Normal(1))
	}
	return o.out(name, n)
}

// words returns the size of the arena that the case needs.
func (o *Operands) words() int { return o.end + guard }

// poison is a NaN that no arithmetic yields: a word that still holds it was not written, and a result that was computed
// from it is no number.
const poison = 0x7fd5aa55

// image returns the arena's contents before the call.
func (o *Operands) image(caseName string) []float32 {
	words := make([]float32, o.words())
	for i := range words {
		words[i] = math.Float32frombits(poison)
	}
	h := fnv.New32a()
	h.Write([]byte(caseName)) // never fails
	for i, p := range o.list {
		if p.fill != nil {
			p.fill(philox.New(1, philox.Test, int(h.Sum32()), i), words[p.off:p.off+p.words])
		}
	}
	return words
}

// checkNames fails if two cases have one name, since their numbers would be the same.
func checkNames(cases []Case) error {
	seen := map[string]bool{}
	for _, c := range cases {
		if seen[c.Name] {
			return fmt.Errorf("two cases are named %q", c.Name)
		}
		seen[c.Name] = true
	}
	return nil
}

// Cases returns the table.
func Cases() []Case {
	var list []Case
	for _, family := range [][]Case{
		gemmCases(), convCases(), biasGradCases(), maxPoolCases(), avgPoolCases(), adaptiveCases(), actCases(), elementwiseCases(),
		dropoutCases(), batchNormCases(), lrnCases(), softmaxCases(), crossEntropyCases(), sgdCases(), adamWCases(), rmsPropCases(),
		reductionCases(),
	} {
		list = append(list, family...)
	}
	return list
}
