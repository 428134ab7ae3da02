package devicetest

import (
	"fmt"
	"math"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/philox"
)

// words draws 32-bit words below a bound, or any for 0.
func words(bound uint32) Fill {
	return func(s *philox.Stream, v []float32) {
		for i := range v {
			w := s.Uint32()
			if bound > 0 {
				w %= bound
			}
			v[i] = math.Float32frombits(w)
		}
	}
}

// normalizeCases are batches of images whose bytes do not fill whole words, with some of them mirrored.
func normalizeCases() []Case {
	var list []Case
	for _, v := range [][4]int{
		{1, 1, 1, 1}, {2, 3, 5, 3}, {3, 7, 9, 1}, {5, 28, 28, 1}, {4, 32, 32, 3}, {3, 5, 4, 4}, {2, 33, 65, 3}, {70, 2, 3, 1}, {1, 1, 700, 3}, {3, 4, 6, 5},
	} {
		n := device.Normalize{N: v[0], H: v[1], W: v[2], C: v[3]}
		list = append(list, Case{
			Name: fmt.Sprintf("Normalize/%dx%dx%dx%d", v[0], v[1], v[2], v[3]),
			Call: func(o *Operands) device.Call {
				n.X, n.Flip = o.in("X", n.Words(), words(0)), o.in("Flip", n.N, words(2))
				n.Table, n.Y = o.in("Table", 256*n.C, Normal(1)), o.outAs(exact, "Y", n.N*n.H*n.W*n.C)
				return n
			},
		})
	}
	return list
}
