package synth

import "github.com/cnnctl/cnnctl/philox"

// noise yields values of the sum of two uniform bytes less its mean, -255 to 255: near enough to normal with a
// standard deviation of 104, at half a word of randomness each.
type noise struct {
	word uint32
	left int
}

func (n *noise) next(s *philox.Stream) int {
	if n.left == 0 {
		n.word, n.left = s.Uint32(), 2
	}
	v := int(n.word&255) + int(n.word>>8&255) - 255
	n.word >>= 16
	n.left--
	return v
}
