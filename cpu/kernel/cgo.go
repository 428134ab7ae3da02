//go:build cgo

package kernel

// #cgo CFLAGS: -O3 -std=gnu11 -Wall -Wextra
// #cgo !windows LDFLAGS: -lm
// #cgo noescape cnn_run_pack
// #cgo nocallback cnn_run_pack
// #cgo noescape cnn_run_gather
// #cgo nocallback cnn_run_gather
// #cgo noescape cnn_run_outer
// #cgo nocallback cnn_run_outer
// #cgo noescape cnn_run_winograd_filters
// #cgo nocallback cnn_run_winograd_filters
// #cgo noescape cnn_run_winograd
// #cgo nocallback cnn_run_winograd
// #cgo noescape cnn_run_winograd_outer
// #cgo nocallback cnn_run_winograd_outer
// #cgo noescape cnn_run_winograd_tiles
// #cgo nocallback cnn_run_winograd_tiles
// #cgo noescape cnn_run_winograd_columns
// #cgo nocallback cnn_run_winograd_columns
// #cgo noescape cnn_run_winograd_outer_columns
// #cgo nocallback cnn_run_winograd_outer_columns
// #cgo noescape cnn_run_stem_forward
// #cgo nocallback cnn_run_stem_forward
// #cgo noescape cnn_run_stem_backward
// #cgo nocallback cnn_run_stem_backward
// #cgo noescape cnn_run_thin_forward
// #cgo nocallback cnn_run_thin_forward
// #cgo noescape cnn_run_thin_filter
// #cgo nocallback cnn_run_thin_filter
// #cgo noescape cnn_run_narrow_filter
// #cgo nocallback cnn_run_narrow_filter
// #cgo noescape cnn_run_spread
// #cgo nocallback cnn_run_spread
// #cgo noescape cnn_run_space_to_depth
// #cgo nocallback cnn_run_space_to_depth
// #cgo noescape cnn_wait
// #cgo nocallback cnn_wait
// #cgo noescape cnn_sgemm
// #cgo nocallback cnn_sgemm
// #cgo noescape cnn_run_act
// #cgo nocallback cnn_run_act
// #cgo noescape cnn_run_act_backward
// #cgo nocallback cnn_run_act_backward
// #cgo noescape cnn_run_add
// #cgo nocallback cnn_run_add
// #cgo noescape cnn_run_dropout
// #cgo nocallback cnn_run_dropout
// #cgo noescape cnn_run_sgd
// #cgo nocallback cnn_run_sgd
// #cgo noescape cnn_run_adamw
// #cgo nocallback cnn_run_adamw
// #cgo noescape cnn_run_rmsprop
// #cgo nocallback cnn_run_rmsprop
// #cgo noescape cnn_run_ema
// #cgo nocallback cnn_run_ema
// #cgo noescape cnn_run_sum_rows
// #cgo nocallback cnn_run_sum_rows
// #cgo noescape cnn_run_sum_squares
// #cgo nocallback cnn_run_sum_squares
// #cgo noescape cnn_run_moments
// #cgo nocallback cnn_run_moments
// #cgo noescape cnn_run_gradient_sums
// #cgo nocallback cnn_run_gradient_sums
// #cgo noescape cnn_run_affine
// #cgo nocallback cnn_run_affine
// #cgo noescape cnn_run_affine_backward
// #cgo nocallback cnn_run_affine_backward
// #cgo noescape cnn_run_max_forward
// #cgo nocallback cnn_run_max_forward
// #cgo noescape cnn_run_max_backward
// #cgo nocallback cnn_run_max_backward
// #cgo noescape cnn_run_affine_max
// #cgo nocallback cnn_run_affine_max
// #cgo noescape cnn_run_affine_max_backward
// #cgo nocallback cnn_run_affine_max_backward
// #cgo noescape cnn_run_mean_forward
// #cgo nocallback cnn_run_mean_forward
// #cgo noescape cnn_run_mean_backward
// #cgo nocallback cnn_run_mean_backward
// #cgo noescape cnn_run_depthwise_forward
// #cgo nocallback cnn_run_depthwise_forward
// #cgo noescape cnn_run_depthwise_data
// #cgo nocallback cnn_run_depthwise_data
// #cgo noescape cnn_run_depthwise_filter
// #cgo nocallback cnn_run_depthwise_filter
// #include <stdlib.h>
// #include "kernel.h"
import "C"

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// Available reports whether there are kernels at all.
const Available = true

// Sizes of the register tile.
var tileRows, tileCols int

func init() { Use("") }

// Use chooses the kernels of a name, such as "AVX2", or the best ones if it is empty. It reports false, and changes nothing, if this
// processor cannot run them. It is for tests and measurements, and must come before devices are opened.
func Use(name string) bool {
	var s *C.char
	if name != "" {
		s = C.CString(name)
		defer C.free(unsafe.Pointer(s))
	}
	ok := C.cnn_use(s) != 0
	tileRows, tileCols = int(C.cnn_mr()), int(C.cnn_nr())
	return ok
}

// Name returns the name of the instruction set, for example "AVX-512".
func Name() string { return C.GoString(C.cnn_name()) }

// Tile returns the rows and columns of the register tile.
func Tile() (rows, cols int) { return tileRows, tileCols }

// Alloc returns n zeroed floats outside the Go heap, at the start of a page, or nil if there are not so many.
func Alloc(n int) []float32 {
	p := C.cnn_alloc(C.size_t(4 * n))
	if p == nil {
		return nil
	}
	return unsafe.Slice((*float32)(p), n)
}

// Free gives back what Alloc returned.
func Free(s []float32) { C.cnn_free(unsafe.Pointer(unsafe.SliceData(s)), C.size_t(4*len(s))) }

// Wait spins until word is no longer what was seen, or for so long.
func Wait(word *atomic.Uint64, seen uint64, long time.Duration) {
	C.cnn_wait((*C.uint64_t)(unsafe.Pointer(word)), C.uint64_t(seen), C.int64_t(long))
}

func truth(b bool) C.int64_t {
	if b {
		return 1
	}
	return 0
}

func image(m *Image) *C.cnn_image { return (*C.cnn_image)(unsafe.Pointer(m)) }

func taps(t []Taps) (*C.cnn_taps, C.int64_t) {
	return (*C.cnn_taps)(unsafe.Pointer(unsafe.SliceData(t))), C.int64_t(len(t))
}

func floats(p *float32) *C.float { return (*C.float)(p) }

// Pack packs panels [p0, p1) of a factor.
func Pack(f *Factor, p0, p1 int, packed []float32) {
	C.cnn_run_pack((*C.cnn_factor)(unsafe.Pointer(f)), C.int64_t(p0), C.int64_t(p1), floats(&packed[0]))
}

// Scratch returns the floats that a task over cols columns needs.
func (g *Gather) Scratch(cols int) int {
	return int(C.cnn_gather_scratch((*C.cnn_gather)(unsafe.Pointer(g)), C.int64_t(cols)))
}

// Run computes rows [i0, i1) and columns [j0, j1) of the product; j0 must be a multiple of the tile's columns.
func (g *Gather) Run(i0, i1, j0, j1 int, scratch []float32) {
	C.cnn_run_gather((*C.cnn_gather)(unsafe.Pointer(g)), C.int64_t(i0), C.int64_t(i1), C.int64_t(j0), C.int64_t(j1), floats(&scratch[0]))
}

// OuterScratch returns the floats that a task of an outer product over rows rows needs.
func OuterScratch(rows int) int { return int(C.cnn_outer_scratch(C.int64_t(rows))) }

// Run writes one block of the product to c, or adds it there; element (m, j) of the product is c[m·ldc + j].
func (o *Outer) Run(b Block, c []float32, ldc int, accumulate bool, scratch []float32) {
	C.cnn_run_outer((*C.cnn_outer)(unsafe.Pointer(o)), C.int64_t(b.M0), C.int64_t(b.M1), C.int64_t(b.J0), C.int64_t(b.J1),
		C.int64_t(b.K0), C.int64_t(b.K1), floats(&c[0]), C.int64_t(ldc), truth(accumulate), floats(&scratch[0]))
}

func sgemmScratch(rows, cols int) int {
	return int(C.cnn_sgemm_scratch(C.int64_t(rows), C.int64_t(cols)))
}

// sgemm computes block [M0, M1) x [J0, J1) of C (+)= op(A)·op(B), with a sum of K1 terms.
func sgemm(transA, transB bool, p Block, m, n int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, add bool, scratch []float32) {
	C.cnn_sgemm(truth(transA), truth(transB), C.int64_t(m), C.int64_t(n), C.int64_t(p.K1), floats(&a[0]), C.int64_t(lda), floats(&b[0]),
		C.int64_t(ldb), floats(&c[0]), C.int64_t(ldc), truth(add), C.int64_t(p.M0), C.int64_t(p.M1), C.int64_t(p.J0), C.int64_t(p.J1),
		floats(&scratch[0]))
}
