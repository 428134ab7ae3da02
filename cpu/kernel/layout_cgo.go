//go:build cgo

package kernel

// #include "kernel.h"
import "C"

import "unsafe"

// A layout is the size of a struct and the offset of its last field, in Go and in C.
type layout struct {
	name                         string
	goSize, cSize, goLast, cLast uintptr
}

func layouts() []layout {
	return []layout{
		{"image", unsafe.Sizeof(Image{}), C.sizeof_cnn_image, unsafe.Offsetof(Image{}.Chan), unsafe.Offsetof(C.cnn_image{}.c)},
		{"factor", unsafe.Sizeof(Factor{}), C.sizeof_cnn_factor, unsafe.Offsetof(Factor{}.N), unsafe.Offsetof(C.cnn_factor{}.n)},
		{"epilogue", unsafe.Sizeof(Epilogue{}), C.sizeof_cnn_epilogue, unsafe.Offsetof(Epilogue{}.Act), unsafe.Offsetof(C.cnn_epilogue{}.act)},
		{"gather", unsafe.Sizeof(Gather{}), C.sizeof_cnn_gather, unsafe.Offsetof(Gather{}.Epilogue), unsafe.Offsetof(C.cnn_gather{}.epilogue)},
		{"outer", unsafe.Sizeof(Outer{}), C.sizeof_cnn_outer, unsafe.Offsetof(Outer{}.N), unsafe.Offsetof(C.cnn_outer{}.n)},
		{"taps", unsafe.Sizeof(Taps{}), C.sizeof_cnn_taps, unsafe.Offsetof(Taps{}.Divisor), unsafe.Offsetof(C.cnn_taps{}.divisor)},
	}
}
