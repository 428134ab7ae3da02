package checkpoint

import (
	"errors"
	"slices"
	"testing"
)

// Every permutation of up to four axes against the definition: dst[i_perm] = src[i].
func TestPermute(t *testing.T) {
	for _, dims := range [][]int{{}, {1}, {7}, {2, 3}, {1, 5}, {4, 1, 3}, {2, 3, 4}, {2, 3, 4, 5}, {3, 1, 2, 2}, {2, 0, 3}, {1, 1, 1}} {
		n := 1
		for _, d := range dims {
			n *= d
		}
		src := make([]float32, n)
		for i := range src {
			src[i] = float32(i)
		}
		for _, perm := range permutations(len(dims)) {
			dst := make([]float32, n)
			if err := Permute(dst, src, dims, perm); err != nil {
				t.Fatal(err)
			}
			if want := permuteNaively(src, dims, perm); !slices.Equal(dst, want) {
				t.Errorf("dims %v, perm %v: got %v, want %v", dims, perm, dst, want)
			}
		}
	}
}

func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{{}}
	}
	var all [][]int
	for _, p := range permutations(n - 1) {
		for at := range n {
			all = append(all, slices.Insert(slices.Clone(p), at, n-1))
		}
	}
	return all
}

// permuteNaively takes every element's index apart and puts it together again.
func permuteNaively(src []float32, dims, perm []int) []float32 {
	dst := make([]float32, len(src))
	index := make([]int, len(dims))
	for i := range src {
		rest := i
		for a := len(dims) - 1; a >= 0; a-- {
			index[a] = rest % dims[a]
			rest /= dims[a]
		}
		to := 0
		for _, a := range perm {
			to = to*dims[a] + index[a]
		}
		dst[to] = src[i]
	}
	return dst
}

// A filter of two outputs, three channels and 1x2 taps, written out: the engine's layout has channels innermost.
func TestPermuteFilter(t *testing.T) {
	oihw := []float32{
		111, 112, 121, 122, 131, 132,
		211, 212, 221, 222, 231, 232,
	}
	want := []float32{
		111, 121, 131, 112, 122, 132,
		211, 221, 231, 212, 222, 232,
	}
	got := make([]float32, len(oihw))
	if err := Permute(got, oihw, []int{2, 3, 1, 2}, []int{0, 2, 3, 1}); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	back := make([]float32, len(oihw))
	if err := Permute(back, got, []int{2, 1, 2, 3}, []int{0, 3, 1, 2}); err != nil || !slices.Equal(back, oihw) {
		t.Errorf("back: got %v, %v, want %v", back, err, oihw)
	}
}

func TestPermuteRefuses(t *testing.T) {
	x := make([]float32, 6)
	for _, c := range []struct{ dims, perm []int }{
		{[]int{2, 3}, []int{0}},
		{[]int{2, 3}, []int{0, 0}},
		{[]int{2, 3}, []int{0, 2}},
		{[]int{2, 3}, []int{-1, 0}},
		{[]int{2, -3}, []int{0, 1}},
		{[]int{2, 4}, []int{0, 1}},
	} {
		if err := Permute(x, x, c.dims, c.perm); !errors.Is(err, ErrTensor) {
			t.Errorf("dims %v, perm %v: got %v, want ErrTensor", c.dims, c.perm, err)
		}
	}
}

// The first fully connected layer of AlexNet, at an eighth of its outputs.
func BenchmarkPermute(b *testing.B) {
	dims := []int{512, 256, 6, 6}
	src := make([]float32, 512*256*36)
	dst := make([]float32, len(src))
	b.SetBytes(int64(4 * len(src)))
	for b.Loop() {
		if err := Permute(dst, src, dims, []int{0, 2, 3, 1}); err != nil {
			b.Fatal(err)
		}
	}
}
