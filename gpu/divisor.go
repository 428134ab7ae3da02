//go:build cuda && cgo && linux

package gpu

import "math/bits"

// magic returns what struct Divisor of conv.cuh needs to divide numbers below 2^31 by d: the least multiplier ceil(2^(32+shift) / d) that is
// exact, in the lower half, and the shift in the upper. It is 0 for d = 1.
func magic(d int) int64 {
	if d == 1 {
		return 0
	}
	shift := bits.Len32(uint32(d-1)) - 1 // 2^shift < d <= 2^(shift+1)
	q, r := bits.Div64(1<<shift, 0, uint64(d)<<32)
	// Div64 divides 2^(64+shift) by d·2^32, which is 2^(32+shift) / d.
	if r > 0 {
		q++
	}
	return int64(shift)<<32 | int64(q)
}
