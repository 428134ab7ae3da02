package ref

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// An arena is memory by words of 4 bytes. A word holds one float32 or two bfloat16, whichever was written last, and each of these is a
// float64: nothing is rounded before Download. Who reads a word as what was not written there sees the bits that a real memory would hold.
type arena struct {
	words  []float64 // the float32, or the bfloat16 at the lower address
	upper  []float64 // the other bfloat16 of a packed word
	packed []bool    // like upper nil as long as no word is
}

func newArena(words int64) *arena { return &arena{words: make([]float64, words)} }

// pack splits word i into two bfloat16.
func (a *arena) pack(i int) {
	if a.packed == nil {
		a.upper, a.packed = make([]float64, len(a.words)), make([]bool, len(a.words))
	}
	if !a.packed[i] {
		w := toWord(a.words[i])
		a.words[i], a.upper[i], a.packed[i] = fromHalf(uint16(w)), fromHalf(uint16(w>>16)), true
	}
}

// unpack turns words [lo, hi) into float32.
func (a *arena) unpack(lo, hi int) {
	if a.packed == nil {
		return
	}
	for i := lo; i < hi; i++ {
		if a.packed[i] {
			a.words[i], a.packed[i] = fromWord(a.bits(i)), false
		}
	}
}

// bits returns word i as a device would hold it.
func (a *arena) bits(i int) uint32 {
	if a.packed == nil || !a.packed[i] {
		return toWord(a.words[i])
	}
	return uint32(toHalf(a.words[i])) | uint32(toHalf(a.upper[i]))<<16
}

// half returns the place of the bfloat16 of that number; its word must be packed.
func (a *arena) half(i int) *float64 {
	if i%2 == 1 {
		return &a.upper[i/2]
	}
	return &a.words[i/2]
}

// A single is a float32 operand of a call: the words themselves.
type single struct {
	arena  *arena
	lo, hi int
}

func (s single) values() []float64 { return s.arena.words[s.lo:s.hi:s.hi] }

// single returns the words of m.
func (d *Device) single(m device.Mem) (single, bool) {
	a, ok := d.arena(m)
	if !ok || m.Off%4 != 0 {
		return single{}, false
	}
	return single{a, int(m.Off / 4), int((m.Off + m.Len) / 4)}, true
}

// A view is a bfloat16 operand of a call: a copy of its values, which load fetches and store writes back.
type view struct {
	arena  *arena
	first  int // number of the first bfloat16 in the arena
	values []float64
	write  bool
}

func (v *view) load() {
	for i := range v.values {
		v.arena.pack((v.first + i) / 2)
		v.values[i] = *v.arena.half(v.first + i)
	}
}

func (v *view) store() {
	for i, x := range v.values {
		*v.arena.half(v.first + i) = x
	}
}

// Values returns a copy of the elements of m at full precision, or nil if m is no memory of d.
func (d *Device) Values(m device.Mem, t device.Type) []float64 {
	if t == device.Float32 {
		return append([]float64{}, d.Float64s(m)...)
	}
	v, ok := d.view(m, int(m.Len/2))
	if !ok {
		return nil
	}
	v.load()
	return v.values
}

// view returns the first n bfloat16 of m, not yet loaded.
func (d *Device) view(m device.Mem, n int) (*view, bool) {
	a, ok := d.arena(m)
	if !ok || m.Off%2 != 0 || m.Len < 2*int64(n) {
		return nil, false
	}
	return &view{arena: a, first: int(m.Off / 2), values: make([]float64, n)}, true
}

// quiet marks a float64 that carries the bits of a float32 NaN in its low half.
const quiet = 0x7ff8 << 48

// fromWord widens a word of device memory. Not every word is a number: Hyper holds a step counter, and tests poison
// memory with bit patterns. A conversion keeps all bits of numbers, denormal ones included, but not those of a NaN,
// which therefore travel as they are.
func fromWord(w uint32) float64 {
	if f := math.Float32frombits(w); f == f {
		return float64(f)
	}
	return math.Float64frombits(quiet | uint64(w))
}

// toWord is the inverse of fromWord, and rounds what is no float32.
func toWord(v float64) uint32 {
	if v != v {
		if w := uint32(math.Float64bits(v)); math.IsNaN(float64(math.Float32frombits(w))) {
			return w
		}
	}
	return math.Float32bits(float32(v))
}

// fromHalf and toHalf are fromWord and toWord for a bfloat16, which is the upper half of a word.
func fromHalf(h uint16) float64 { return fromWord(uint32(h) << 16) }

func toHalf(v float64) uint16 {
	if v != v {
		return uint16(toWord(v) >> 16)
	}
	return device.ToBFloat16(float32(v))
}
