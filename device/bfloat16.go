package device

import "math"

// ToBFloat16 rounds to the nearest bfloat16, of two equally near ones to the even one, and returns its bits. A NaN stays one.
func ToBFloat16(f float32) uint16 {
	w := math.Float32bits(f)
	if f != f {
		return uint16(w>>16) | 0x40 // the payload may lie in the lower half alone
	}
	return uint16((w + 0x7fff + w>>16&1) >> 16)
}

// FromBFloat16 returns the value of a bfloat16, which float32 holds exactly.
func FromBFloat16(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }
