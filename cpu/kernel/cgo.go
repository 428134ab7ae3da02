//go:build cgo

package kernel

// #cgo CFLAGS: -O3 -std=gnu11 -Wall -Wextra
// #cgo noescape cnn_pack
// #cgo nocallback cnn_pack
// #cgo noescape cnn_gather_run
// #cgo nocallback cnn_gather_run
// #cgo noescape cnn_outer_run
// #cgo nocallback cnn_outer_run
// #include <stdlib.h>
// #include "kernel.h"
import "C"

import "unsafe"

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

func floats(p *float32) *C.float { return (*C.float)(p) }

// Pack packs panels [p0, p1) of a factor.
func Pack(f *Factor, p0, p1 int, packed []float32) {
	C.cnn_pack((*C.cnn_factor)(unsafe.Pointer(f)), C.int64_t(p0), C.int64_t(p1), floats(&packed[0]))
}

// Scratch returns the floats that a task over cols columns needs.
func (g *Gather) Scratch(cols int) int {
	return int(C.cnn_gather_scratch((*C.cnn_gather)(unsafe.Pointer(g)), C.int64_t(cols)))
}

// Run computes rows [i0, i1) and columns [j0, j1) of the product; j0 must be a multiple of the tile's columns.
func (g *Gather) Run(i0, i1, j0, j1 int, scratch []float32) {
	C.cnn_gather_run((*C.cnn_gather)(unsafe.Pointer(g)), C.int64_t(i0), C.int64_t(i1), C.int64_t(j0), C.int64_t(j1), floats(&scratch[0]))
}

// Scratch returns the floats that a task over rows rows needs.
func (o *Outer) Scratch(rows int) int {
	return int(C.cnn_outer_scratch((*C.cnn_outer)(unsafe.Pointer(o)), C.int64_t(rows)))
}

// Run writes one block of the product to c, or adds it there; element (m, j) of the product is c[m·ldc + j].
func (o *Outer) Run(b Block, c []float32, ldc int, accumulate bool, scratch []float32) {
	var add C.int64_t
	if accumulate {
		add = 1
	}
	C.cnn_outer_run((*C.cnn_outer)(unsafe.Pointer(o)), C.int64_t(b.M0), C.int64_t(b.M1), C.int64_t(b.J0), C.int64_t(b.J1),
		C.int64_t(b.K0), C.int64_t(b.K1), floats(&c[0]), C.int64_t(ldc), add, floats(&scratch[0]))
}
