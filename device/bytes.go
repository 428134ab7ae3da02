package device

import "unsafe"

// Word is an element type of operands; uint16 stands for the bits of a bfloat16.
type Word interface {
	float32 | int32 | uint32 | uint16
}

// Bytes returns the memory of s, in the machine's byte order, for Upload and Download. It shares s's memory.
func Bytes[T Word](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), int(unsafe.Sizeof(s[0]))*len(s))
}
