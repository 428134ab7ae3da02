package checkpoint

import (
	"encoding/binary"
	"math"
)

// DType is the element type of a stored tensor, by its name in safetensors.
type DType string

// The element types of the safetensors format that hold one number in whole bytes, except for the 8-bit floats.
const (
	F64  DType = "F64"
	F32  DType = "F32"
	F16  DType = "F16"  // IEEE 754 binary16
	BF16 DType = "BF16" // the upper half of binary32
	I64  DType = "I64"
	I32  DType = "I32"
	I16  DType = "I16"
	I8   DType = "I8"
	U64  DType = "U64"
	U32  DType = "U32"
	U16  DType = "U16"
	U8   DType = "U8"
	Bool DType = "BOOL" // one byte, zero or not
)

// kind separates what an element means from how wide it is.
type kind uint8

const (
	floating kind = iota + 1
	integer
	boolean
)

// A codec reads the elements of one type.
type codec struct {
	size int
	kind kind
	// value decodes the first element of b. It is exact for all types but the 64-bit integers, which round.
	value func(b []byte) float64
}

var le = binary.LittleEndian

var codecs = map[DType]codec{
	F64:  {8, floating, func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) }},
	F32:  {4, floating, func(b []byte) float64 { return float64(math.Float32frombits(le.Uint32(b))) }},
	F16:  {2, floating, func(b []byte) float64 { return float64(halfToFloat32(le.Uint16(b))) }},
	BF16: {2, floating, func(b []byte) float64 { return float64(math.Float32frombits(uint32(le.Uint16(b)) << 16)) }},
	I64:  {8, integer, func(b []byte) float64 { return float64(int64(le.Uint64(b))) }},
	I32:  {4, integer, func(b []byte) float64 { return float64(int32(le.Uint32(b))) }},
	I16:  {2, integer, func(b []byte) float64 { return float64(int16(le.Uint16(b))) }},
	I8:   {1, integer, func(b []byte) float64 { return float64(int8(b[0])) }},
	U64:  {8, integer, func(b []byte) float64 { return float64(le.Uint64(b)) }},
	U32:  {4, integer, func(b []byte) float64 { return float64(le.Uint32(b)) }},
	U16:  {2, integer, func(b []byte) float64 { return float64(le.Uint16(b)) }},
	U8:   {1, integer, func(b []byte) float64 { return float64(b[0]) }},
	Bool: {1, boolean, func(b []byte) float64 { return float64(min(b[0], 1)) }},
}

// Size returns the bytes of one element, or 0 for a type that this package does not know.
func (d DType) Size() int { return codecs[d].size }

// IsFloat tells whether elements are floating-point numbers.
func (d DType) IsFloat() bool { return codecs[d].kind == floating }

// halfToFloat32 converts IEEE 754 binary16 (1 sign, 5 exponent, 10 fraction bits) exactly.
func halfToFloat32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp := uint32(h>>10) & 0x1f
	frac := uint32(h & 0x3ff)
	switch exp {
	case 0: // zero or subnormal: frac * 2^-24, which float32 represents as a normal number
		v := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 0x1f: // infinity or NaN, payload kept
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	const rebias = 127 - 15
	return math.Float32frombits(sign | (exp+rebias)<<23 | frac<<13)
}

// float32s decodes len(dst) elements of a floating type from src.
func (d DType) float32s(dst []float32, src []byte) {
	if d == F32 { // by far the most frequent, and bit for bit
		for i := range dst {
			dst[i] = math.Float32frombits(le.Uint32(src[4*i:]))
		}
		return
	}
	c := codecs[d]
	for i := range dst {
		dst[i] = float32(c.value(src[i*c.size:]))
	}
}

// int64s decodes len(dst) elements of an integer type or of Bool from src.
func (d DType) int64s(dst []int64, src []byte) {
	c := codecs[d]
	for i := range dst {
		b := src[i*c.size:]
		if c.size == 8 { // beyond 2^53 a float64 would round
			dst[i] = int64(le.Uint64(b))
		} else {
			dst[i] = int64(c.value(b))
		}
	}
}
