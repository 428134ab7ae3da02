package checkpoint

import "fmt"

// Permute copies src, a row-major tensor of shape dims, to dst with its axes rearranged: axis i of dst is axis perm[i] of
// src, as in NumPy's transpose and PyTorch's permute. The slices must not overlap. For instance
//
//	(K, C, R, S) to (K, R, S, C):  perm 0, 2, 3, 1   (PyTorch's filters to the engine's)
//	(K, R, S, C) to (K, C, R, S):  perm 0, 3, 1, 2   (and back)
//	(out, C, H, W) to (out, H, W, C): the same two, for the first fully connected layer after a flatten
func Permute(dst, src []float32, dims, perm []int) error {
	axes, n, err := permutedAxes(dims, perm)
	if err != nil {
		return err
	}
	if len(src) != n || len(dst) != n {
		return fmt.Errorf("permute %v: want %d elements, got %d to be written to %d: %w", dims, n, len(src), len(dst), ErrTensor)
	}
	if n == 0 {
		return nil
	}
	// The last axis of dst is the inner loop, so that writes are sequential; an odometer runs over the others.
	inner := axes[len(axes)-1]
	outer := axes[:len(axes)-1]
	count := make([]int, len(outer))
	from := 0
	for to := 0; to < n; to += inner.n {
		if inner.stride == 1 {
			copy(dst[to:to+inner.n], src[from:])
		} else {
			at := from
			for i := to; i < to+inner.n; i++ {
				dst[i] = src[at]
				at += inner.stride
			}
		}
		for a := len(outer) - 1; a >= 0; a-- {
			from += outer[a].stride
			if count[a]++; count[a] < outer[a].n {
				break
			}
			from -= outer[a].stride * outer[a].n
			count[a] = 0
		}
	}
	return nil
}

// An axis of dst: its length and its distance in src.
type axis struct{ n, stride int }

// permutedAxes returns the axes of dst, at least one, and the number of elements. Axes that stay neighbours become one,
// which makes the inner loop long.
func permutedAxes(dims, perm []int) ([]axis, int, error) {
	if len(perm) != len(dims) {
		return nil, 0, fmt.Errorf("permute %v: want %d axes in the permutation, got %v: %w", dims, len(dims), perm, ErrTensor)
	}
	stride := make([]int, len(dims))
	n := 1
	for a := len(dims) - 1; a >= 0; a-- {
		if dims[a] < 0 {
			return nil, 0, fmt.Errorf("permute %v: want dimensions of at least 0: %w", dims, ErrTensor)
		}
		stride[a] = n
		n *= dims[a]
	}
	axes := []axis{{1, 1}}
	used := make([]bool, len(dims))
	for i, a := range perm {
		if a < 0 || a >= len(dims) || used[a] {
			return nil, 0, fmt.Errorf("permute %v: want each axis from 0 to %d once, got %v: %w", dims, len(dims)-1, perm, ErrTensor)
		}
		used[a] = true
		last := &axes[len(axes)-1]
		switch {
		case i == 0 || last.n == 1:
			*last = axis{dims[a], stride[a]}
		case last.stride == stride[a]*dims[a]:
			*last = axis{last.n * dims[a], stride[a]}
		default:
			axes = append(axes, axis{dims[a], stride[a]})
		}
	}
	return axes, n, nil
}
