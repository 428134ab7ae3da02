//go:build cgo

package kernel

// #include "kernel.h"
import "C"

import "unsafe"

// WinogradFilters transforms panels [p0, p1) of 3x3 filters for tiles of m x m outputs: (m+2)² packed factors, one after another, in u.
func WinogradFilters(m int, f *Factor, p0, p1 int, u []float32) {
	C.cnn_run_winograd_filters(C.int64_t(m), (*C.cnn_factor)(unsafe.Pointer(f)), C.int64_t(p0), C.int64_t(p1), first(u))
}

// WinogradScratch returns the floats that a task of Winograd needs.
func (g *Gather) WinogradScratch(m, tiles int) int {
	return int(C.cnn_winograd_scratch((*C.cnn_gather)(unsafe.Pointer(g)), C.int64_t(m), C.int64_t(tiles)))
}

// Winograd computes tiles [t0, t1) of m x m outputs of a convolution of 3x3 filters at stride 1; Packed holds the transformed filters.
func (g *Gather) Winograd(m, t0, t1 int, scratch []float32) {
	C.cnn_run_winograd(C.int64_t(m), (*C.cnn_gather)(unsafe.Pointer(g)), C.int64_t(t0), C.int64_t(t1), first(scratch))
}

// WinogradOuterScratch returns the floats that a task of the gradient of rows filters by cols channels needs.
func WinogradOuterScratch(m, rows, cols int) int {
	return int(C.cnn_winograd_outer_scratch(C.int64_t(m), C.int64_t(rows), C.int64_t(cols)))
}

// Winograd writes filters [M0, M1) and channels [J0, J1) of the gradient of 3x3 filters at stride 1, summed over tiles [K0, K1) of m x m
// outputs, to c, or adds it there; filter k is at c[k·ldc].
func (o *Outer) Winograd(m int, b Block, c []float32, ldc int, add bool, scratch []float32) {
	C.cnn_run_winograd_outer(C.int64_t(m), (*C.cnn_outer)(unsafe.Pointer(o)), C.int64_t(b.M0), C.int64_t(b.M1), C.int64_t(b.J0),
		C.int64_t(b.J1), C.int64_t(b.K0), C.int64_t(b.K1), first(c), C.int64_t(ldc), truth(add), first(scratch))
}
