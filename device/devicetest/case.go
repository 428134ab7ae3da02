// Package devicetest is the conformance suite of package device: one table of cases for every call, with shapes around the edges
// of tiles, that every device runs against the float64 oracle of package cpu/ref.
//
// The table is exported, so that benchmarks and tests of one device (no allocation in a step, the same bits with any number of
// threads) use the same cases.
package devicetest

import (
	"encoding/binary"
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
	// Precision is that of products and of the type of activations.
	Precision device.Precision
	// Terms is the number of terms of the longest sum, which the error may grow with.
	Terms int
	// Product marks the calls whose factors a device may round, as Precision says.
	Product bool
	// Growth is the factor by which the algorithm under test lets rounding errors grow beyond those of a sum of products; 0 means 1.
	Growth float64
	// Shifted places every operand one element behind a multiple of device.Align.
	Shifted bool
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
	name    string
	off     int // bytes
	n       int // elements
	typ     device.Type
	fill    Fill // nil if the operand is only written
	output  bool
	compare compare
}

func (p operand) end() int { return p.off + int(p.typ.Size())*p.n }

// Operands places the operands of one case in one arena, with guards between them. The first pass, over a zero
// base, only measures.
type Operands struct {
	placer    // of float32 operands
	precision device.Precision
	shifted   bool
	base      device.Mem
	list      []operand
	end       int // bytes
}

// operands begins to place the operands of c.
func (c Case) operands(base device.Mem) *Operands {
	o := &Operands{precision: c.Precision, shifted: c.Shifted, base: base}
	o.placer = placer{o, device.Float32}
	return o
}

// typ is the type of activations.
func (o *Operands) typ() device.Type { return o.precision.Type() }

// act places operands of the type of activations.
func (o *Operands) act() placer { return placer{o, o.typ()} }

// guard is the number of bytes between operands. Operands start at multiples of it, or one element behind.
const guard = device.Align

func (o *Operands) place(p operand) device.Mem {
	p.off = o.end + guard
	if o.shifted {
		p.off += int(p.typ.Size())
	}
	o.end = int(device.AlignUp(int64(p.end())))
	o.list = append(o.list, p)
	m := device.Mem{Arena: o.base.Arena, Off: o.base.Off + int64(p.off), Len: int64(p.end() - p.off)}
	if o.base.IsZero() {
		m.Arena = 1
	}
	return m
}

// A placer places operands of one type.
type placer struct {
	o   *Operands
	typ device.Type
}

// in places an operand of n elements that the call reads and must not change.
func (p placer) in(name string, n int, f Fill) device.Mem {
	return p.o.place(operand{name: name, n: n, typ: p.typ, fill: f})
}

// out places an operand that the call writes altogether.
func (p placer) out(name string, n int) device.Mem { return p.outAs(normalised, name, n) }

// outAs is out with another comparison.
func (p placer) outAs(how compare, name string, n int) device.Mem {
	return p.o.place(operand{name: name, n: n, typ: p.typ, output: true, compare: how})
}

// inout places an operand that the call reads and writes.
func (p placer) inout(name string, n int, f Fill) device.Mem {
	return p.inoutAs(normalised, name, n, f)
}

// inoutAs is inout with another comparison.
func (p placer) inoutAs(how compare, name string, n int, f Fill) device.Mem {
	return p.o.place(operand{name: name, n: n, typ: p.typ, fill: f, output: true, compare: how})
}

// result places an output that is added to if acc is set.
func (p placer) result(name string, n int, acc bool) device.Mem {
	if acc {
		return p.inout(name, n, Normal(1))
	}
	return p.out(name, n)
}

// words returns the size of the arena that the case needs.
func (o *Operands) words() int { return (o.end + guard) / 4 }

// poison is a NaN that no arithmetic yields, and so is each half of it as a bfloat16: an element that still holds it was not written, and
// a result that was computed from it is no number.
const poison = 0x7fd57fd5

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
			v := make([]float32, p.n)
			p.fill(philox.New(1, philox.Test, int(h.Sum32()), i), v)
			copy(device.Bytes(words)[p.off:], encode(v, p.typ))
		}
	}
	return words
}

// encode returns the memory of v in a type.
func encode(v []float32, t device.Type) []byte {
	if t == device.Float32 {
		return device.Bytes(v)
	}
	b := make([]uint16, len(v))
	for i, x := range v {
		b[i] = device.ToBFloat16(x)
	}
	return device.Bytes(b)
}

// decode is the inverse of encode.
func decode(b []byte, t device.Type) []float32 {
	v := make([]float32, len(b)/int(t.Size()))
	for i := range v {
		if t == device.BFloat16 {
			v[i] = device.FromBFloat16(binary.NativeEndian.Uint16(b[2*i:]))
		} else {
			v[i] = math.Float32frombits(binary.NativeEndian.Uint32(b[4*i:]))
		}
	}
	return v
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

// Cases returns the table of a precision: all calls in float32, products alone in TF32, and under BF16 whatever has operands in bfloat16.
func Cases(p device.Precision) []Case {
	var list []Case
	for _, family := range [][]Case{
		gemmCases(), convCases(), biasGradCases(), maxPoolCases(), avgPoolCases(), adaptiveCases(), actCases(), elementwiseCases(),
		dropoutCases(), batchNormCases(), batchNormMaxPoolCases(), foldBatchNormCases(), lrnCases(), softmaxCases(), crossEntropyCases(), sgdCases(), adamWCases(), rmsPropCases(),
		reductionCases(), recordCases(), normalizeCases(),
	} {
		for i, c := range family {
			c.Precision = p
			if device.Needs(c.Call(c.operands(device.Mem{}))) != p {
				continue
			}
			list = append(list, c)
			if i%11 == 5 {
				c.Shifted = true
				c.Name += ",shifted"
				list = append(list, c)
			}
		}
	}
	return list
}
