// Package philox is the project's only source of randomness: Philox4x32-10, the counter-based generator of
// Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3" (SC'11).
//
// A counter-based generator is a keyed function of an index. Nothing is carried from one draw to the next, so the
// random choices of sample 17 in epoch 3 do not depend on which worker makes them, on how many samples came before,
// or on whether the process was killed in between; and a GPU thread computes the same bits as a CPU loop.
package philox

import (
	"math"
	"math/bits"
)

// The round and key constants of the paper's section 5.1.
const (
	mul0  = 0xD2511F53
	mul1  = 0xCD9E8D57
	weyl0 = 0x9E3779B9
	weyl1 = 0xBB67AE85
)

// Block returns the four 32-bit words that key and counter determine.
func Block(key [2]uint32, ctr [4]uint32) [4]uint32 {
	for range 10 {
		p0 := uint64(mul0) * uint64(ctr[0])
		p1 := uint64(mul1) * uint64(ctr[2])
		ctr = [4]uint32{
			uint32(p1>>32) ^ ctr[1] ^ key[0], uint32(p1),
			uint32(p0>>32) ^ ctr[3] ^ key[1], uint32(p0),
		}
		key[0] += weyl0
		key[1] += weyl1
	}
	return ctr
}

// Purpose separates the streams of one seed, so that, for example, changing the augmentation does not change the
// initial weights. The values are part of the file format of a run: never renumber them.
type Purpose uint16

const (
	Init     Purpose = 1 // initial weights; a: parameter index, b: 0
	Shuffle  Purpose = 2 // order of an epoch; a: epoch, b: 0
	Augment  Purpose = 3 // choices for one sample; a: epoch, b: sample index
	Mix      Purpose = 4 // MixUp and CutMix of one batch; a: epoch, b: batch index
	Dropout  Purpose = 5 // masks, drawn on the device; see device.Dropout
	Split    Purpose = 6 // training and validation part of a data set; a: class, b: 0
	Generate Purpose = 7 // embedded data sets; a: set, b: sample index
	Test     Purpose = 8 // tests and benchmarks
)

// Key derives the generator's key from a seed and a purpose.
func Key(seed uint64, p Purpose) [2]uint32 {
	return [2]uint32{uint32(seed), uint32(seed>>32) ^ uint32(p)<<16}
}

// Stream is the sequence of one (seed, purpose, a, b). It implements math/rand/v2's Source. The zero Stream is valid
// and equals New(0, 0, 0, 0); copying a Stream forks it. It is not safe for concurrent use.
type Stream struct {
	key  [2]uint32
	a, b uint32
	hi   uint16
	next uint32 // index of the next block
	buf  [4]uint32
	left int
}

// New returns the stream that (seed, purpose, a, b) names. Each stream yields 2^34 words before it repeats.
func New(seed uint64, p Purpose, a, b int) *Stream {
	s := MakeStream(seed, p, a, b)
	return &s
}

// MakeStream is New without the allocation.
func MakeStream(seed uint64, p Purpose, a, b int) Stream {
	// a and b are 48 bits each at most; the low words fill two counter words and the rest shares the fourth.
	return Stream{key: Key(seed, p), a: uint32(a), b: uint32(b), hi: uint16(uint64(a)>>32) ^ uint16(uint64(b)>>32)<<8}
}

// Uint32 returns 32 uniform bits.
func (s *Stream) Uint32() uint32 {
	if s.left == 0 {
		s.buf = Block(s.key, [4]uint32{s.next, s.a, s.b, uint32(s.hi)})
		s.next++
		s.left = 4
	}
	s.left--
	return s.buf[3-s.left]
}

// Uint64 returns 64 uniform bits.
func (s *Stream) Uint64() uint64 {
	lo := s.Uint32()
	return uint64(s.Uint32())<<32 | uint64(lo)
}

// Float32 returns a uniform value of [0, 1) with 24 random bits.
func (s *Stream) Float32() float32 { return float32(s.Uint32()>>8) * (1.0 / (1 << 24)) }

// Float64 returns a uniform value of [0, 1) with 53 random bits.
func (s *Stream) Float64() float64 { return float64(s.Uint64()>>11) * (1.0 / (1 << 53)) }

// Uniform returns a uniform value of [lo, hi).
func (s *Stream) Uniform(lo, hi float64) float64 { return lo + (hi-lo)*s.Float64() }

// Normal returns a standard normal value (Box and Muller's transform, one of its two outputs, so that the number of
// draws per value is constant).
func (s *Stream) Normal() float64 {
	u := 1 - s.Float64() // in (0, 1]: the logarithm is finite
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*s.Float64())
}

// IntN returns a uniform value of [0, n). It panics if n <= 0.
func (s *Stream) IntN(n int) int {
	if n <= 0 {
		panic("philox: IntN of a non-positive number")
	}
	// The high word of a 64x64-bit product is uniform up to a bias of n/2^64, far below what any test here can see.
	hi, _ := bits.Mul64(s.Uint64(), uint64(n))
	return int(hi)
}

// Bool returns true with probability p.
func (s *Stream) Bool(p float64) bool { return s.Float64() < p }

// Perm fills p with a uniform permutation of 0..len(p)-1 (Fisher and Yates).
func (s *Stream) Perm(p []int) {
	for i := range p {
		j := s.IntN(i + 1)
		p[i] = p[j]
		p[j] = i
	}
}
