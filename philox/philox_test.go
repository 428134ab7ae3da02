package philox

import (
	"math"
	"testing"
)

// The known-answer vectors of the authors' Random123 distribution (kat_vectors, philox4x32 10).
func TestKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		ctr  [4]uint32
		key  [2]uint32
		want [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, [2]uint32{0xffffffff, 0xffffffff},
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		if got := Block(c.key, c.ctr); got != c.want {
			t.Errorf("Block(%x, %x) = %x, want %x", c.key, c.ctr, got, c.want)
		}
	}
}

func TestStreamsDiffer(t *testing.T) {
	seen := map[uint64]string{}
	for _, c := range []struct {
		name string
		s    *Stream
	}{
		{"base", New(1, Init, 0, 0)}, {"seed", New(2, Init, 0, 0)}, {"high seed", New(1<<32|1, Init, 0, 0)},
		{"purpose", New(1, Shuffle, 0, 0)}, {"a", New(1, Init, 1, 0)}, {"b", New(1, Init, 0, 1)},
		{"high a", New(1, Init, 1<<32, 0)}, {"high b", New(1, Init, 0, 1<<32)},
	} {
		v := c.s.Uint64()
		if other, dup := seen[v]; dup {
			t.Errorf("streams %q and %q start alike", c.name, other)
		}
		seen[v] = c.name
	}
}

func TestMoments(t *testing.T) {
	s := New(7, Test, 0, 0)
	const n = 200_000
	var mean, sq, uni float64
	for range n {
		v := s.Normal()
		mean += v
		sq += v * v
		uni += s.Float64()
	}
	// Five standard errors of each estimate.
	if m := mean / n; math.Abs(m) > 5/math.Sqrt(n) {
		t.Errorf("normal mean %g", m)
	}
	if v := sq / n; math.Abs(v-1) > 5*math.Sqrt(2.0/n) {
		t.Errorf("normal variance %g", v)
	}
	if u := uni / n; math.Abs(u-0.5) > 5*math.Sqrt(1.0/12/n) {
		t.Errorf("uniform mean %g", u)
	}
}

func TestPerm(t *testing.T) {
	p := make([]int, 1000)
	New(3, Shuffle, 1, 0).Perm(p)
	seen := make([]bool, len(p))
	fixed := 0
	for i, v := range p {
		if seen[v] {
			t.Fatalf("%d occurs twice", v)
		}
		seen[v] = true
		if i == v {
			fixed++
		}
	}
	if fixed > 10 {
		t.Errorf("%d fixed points of 1000: not a random permutation", fixed)
	}
}
