package graph

import "fmt"

// Shape is the shape of one sample's activation, (H, W, C); the batch is not part of it, because a graph is built once and compiled for
// any batch size.
//
// A flat shape is a vector of H·W·C features that remembers where it came from. The memory is the same, (H, W, C) in that order;
// what it is needed for is the first fully connected layer after a flatten, whose weight columns other frameworks order by (C, H, W).
type Shape struct {
	H, W, C int
	Flat    bool
}

// Size returns the number of elements of one sample.
func (s Shape) Size() int { return s.H * s.W * s.C }

func (s Shape) String() string {
	if s.Flat {
		return fmt.Sprint(s.Size())
	}
	return fmt.Sprintf("%dx%dx%d", s.H, s.W, s.C)
}

// valid reports whether every extent is positive and the batch of 1 stays addressable.
func (s Shape) valid() bool {
	const most = 1 << 30
	return s.H > 0 && s.W > 0 && s.C > 0 && s.H <= most && s.W <= most && s.C <= most && s.H*s.W <= most && s.Size() <= most
}
