//go:build cgo

package kernel

// #include "kernel.h"
import "C"

import "unsafe"

// WinogradFilters transforms panels [p0, p1) of filters: (m+2)² packed factors, 36 if m is Strided, 49 if it is Four, one after another, in u.
func WinogradFilters(m int, f *Factor, p0, p1 int, u []float32) {
	C.cnn_run_winograd_filters(C.int64_t(m), (*C.cnn_factor)(unsafe.Pointer(f)), C.int64_t(p0), C.int64_t(p1), first(u))
}

// WinogradScratch returns the floats that a task of Winograd needs.
func (g *Gather) WinogradScratch(m, tiles int) int {
	return int(C.cnn_winograd_scratch((*C.cnn_gather)(unsafe.Pointer(g)), C.int64_t(m), C.int64_t(tiles)))
}

// Winograd computes tiles [t0, t1) of a convolution; Packed holds the transformed filters. If m is Strided and OutStepH is 2, it is the
// gradient of a convolution at stride 2: the result has tiles of 8x8 pixels, and A, B and OutFirst are those of the pixels that two taps reach along
// either axis, but B has all taps, in the order of the output pixels that they read, and A's grid all pairs of pixels.
func (g *Gather) Winograd(m, t0, t1 int, scratch []float32) {
	C.cnn_run_winograd(C.int64_t(m), (*C.cnn_gather)(unsafe.Pointer(g)), C.int64_t(t0), C.int64_t(t1), first(scratch))
}

// WinogradOuterScratch returns the floats that a task of the gradient of rows filters by cols channels needs.
func WinogradOuterScratch(m, rows, cols int) int {
	return int(C.cnn_winograd_outer_scratch(C.int64_t(m), C.int64_t(rows), C.int64_t(cols)))
}

// Winograd writes filters [M0, M1) and channels [J0, J1) of the gradient of filters, summed over tiles [K0, K1) of outputs,
// to c, or adds it there; filter k is at c[k·ldc].
func (o *Outer) Winograd(m int, b Block, c []float32, ldc int, add bool, scratch []float32) {
	C.cnn_run_winograd_outer(C.int64_t(m), (*C.cnn_outer)(unsafe.Pointer(o)), C.int64_t(b.M0), C.int64_t(b.M1), C.int64_t(b.J0),
		C.int64_t(b.J1), C.int64_t(b.K0), C.int64_t(b.K1), first(c), C.int64_t(ldc), truth(add), first(scratch))
}

// WinogradTilesSize returns the floats of the shared tiles of m x m outputs in blocks of width channels.
func (a *Image) WinogradTilesSize(m, width int) int {
	return int(C.cnn_winograd_tiles_size(image(a), C.int64_t(m), C.int64_t(width)))
}

// WinogradTiles transforms channels [c0, c1) of tiles [t0, t1) of an image, or of a gradient of the output, to shared tiles; c0 is a multiple of width.
func (a *Image) WinogradTiles(m int, gradient bool, width, c0, c1, t0, t1 int, shared []float32) {
	C.cnn_run_winograd_tiles(C.int64_t(m), image(a), truth(gradient), C.int64_t(width), C.int64_t(c0), C.int64_t(c1), C.int64_t(t0), C.int64_t(t1),
		first(shared))
}

// WinogradColumnsScratch returns the floats that a task of WinogradColumns over cols columns needs.
func (g *Gather) WinogradColumnsScratch(m, width, cols int) int {
	return int(C.cnn_winograd_columns_scratch((*C.cnn_gather)(unsafe.Pointer(g)), C.int64_t(m), C.int64_t(width), C.int64_t(cols)))
}

// WinogradColumns computes columns [j0, j1) of a convolution of 3x3 filters at stride 1 from its input as shared tiles; j0 must be a multiple of the
// register tile's columns.
func (g *Gather) WinogradColumns(m int, shared []float32, width, j0, j1 int, scratch []float32) {
	C.cnn_run_winograd_columns(C.int64_t(m), (*C.cnn_gather)(unsafe.Pointer(g)), first(shared), C.int64_t(width), C.int64_t(j0), C.int64_t(j1),
		first(scratch))
}

// WinogradOuterColumnsScratch returns the floats that a task of the gradient of rows filters by cols channels needs.
func WinogradOuterColumnsScratch(m, rows, cols int) int {
	return int(C.cnn_winograd_outer_columns_scratch(C.int64_t(m), C.int64_t(rows), C.int64_t(cols)))
}

// WinogradColumns is Winograd for all tiles, from the gradient of the output as shared tiles of a width, in one block of which [M0, M1) lies, and the
// input as those whose width is the register tile's columns, of which J0 must be a multiple.
func (o *Outer) WinogradColumns(m int, dy []float32, width int, x []float32, b Block, c []float32, ldc int, add bool, scratch []float32) {
	C.cnn_run_winograd_outer_columns(C.int64_t(m), (*C.cnn_outer)(unsafe.Pointer(o)), first(dy), C.int64_t(width), first(x), C.int64_t(b.M0),
		C.int64_t(b.M1), C.int64_t(b.J0), C.int64_t(b.J1), first(c), C.int64_t(ldc), truth(add), first(scratch))
}
