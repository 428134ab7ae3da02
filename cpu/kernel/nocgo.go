//go:build !cgo

package kernel

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Available reports whether there are kernels at all.
const Available = false

const missing = "kernel: built without cgo"

// Wait spins until word is no longer what was seen, or for so long.
func Wait(word *atomic.Uint64, seen uint64, long time.Duration) {
	begin := time.Now()
	for spins := 1; word.Load() == seen; spins++ {
		if spins%64 != 0 {
			continue
		}
		runtime.Gosched() // others may want the processor: the loader's goroutines, and another device's
		if time.Since(begin) > long {
			return
		}
	}
}

// The other functions of cgo.go. The CPU device asks Available first.

func Use(string) bool                                     { return false }
func Name() string                                        { return "" }
func Tile() (rows, cols int)                              { panic(missing) }
func Alloc(int) []float32                                 { panic(missing) }
func Free([]float32)                                      { panic(missing) }
func Pack(*Factor, int, int, []float32)                   { panic(missing) }
func (*Gather) Scratch(int) int                           { panic(missing) }
func (*Gather) Run(i0, i1, j0, j1 int, _ []float32)       { panic(missing) }
func OuterScratch(int) int                                { panic(missing) }
func (*Outer) Run(Block, []float32, int, bool, []float32) { panic(missing) }

func Act(int, []float32, []float32)                                        { panic(missing) }
func ActBackward(act int, dx, dy, y []float32, add bool)                   { panic(missing) }
func Add(y, a, b []float32)                                                { panic(missing) }
func Dropout(y, x []float32, b0, b1 int, m *Mask, scale float32, add bool) { panic(missing) }
func SGD(w, g, v []float32, r Rate, nesterov bool)                         { panic(missing) }
func AdamW(w, g, m, v []float32, r Rate, beta2, eps, inv1, inv2 float32)   { panic(missing) }
func RMSprop(w, g, s, v []float32, r Rate, alpha, eps float32)             { panic(missing) }
func EMA(e, w []float32, d float32)                                        { panic(missing) }
func SumRows(sum []float64, x []float32)                                   { panic(missing) }
func SumSquares(sum []float64, x []float32)                                { panic(missing) }
func Moments(sum, squares []float64, x []float32)                          { panic(missing) }
func GradientSums(sum, product []float64, x, dy, y []float32, act int, mean, residual []float32, add bool) {
	panic(missing)
}
func Affine(y, x, scale, center, shift, residual []float32, act int) { panic(missing) }
func AffineBackward(dx, dy, y []float32, act int, x, scale, slope, mean, shift []float32, add bool) {
	panic(missing)
}
func (*Image) MaxForward(y, arg []float32, r0, r1 int)            { panic(missing) }
func (*Image) MaxBackward(dy, arg, dx []float32, n int, add bool) { panic(missing) }
func (*Image) AffineMax(scale, center, shift []float32, act int, y, arg, from []float32, r0, r1 int) {
	panic(missing)
}
func (*Image) AffineMaxBackward(dy, y []float32, act int, arg, dx, scale, slope, mean, shift []float32, r0, r1 int, add bool) {
	panic(missing)
}
func (*Image) NarrowScratch(int) int { panic(missing) }
func (*Image) NarrowFilter(_ []float32, _ int, _ []float32, r0, r1 int, _ bool, _ []float32) {
	panic(missing)
}
func MeanForward(x, y []float32, h, w, c int, rows, cols []Taps, r0, r1 int)         { panic(missing) }
func MeanBackward(dy, dx []float32, h, w, c int, rows, cols []Taps, n int, add bool) { panic(missing) }
func (*Image) DepthwiseForward(weights, y []float32, e *Epilogue, r0, r1 int)        { panic(missing) }
func (*Image) DepthwiseData(weights, dy, dx []float32, r0, r1 int, add bool)         { panic(missing) }
func (*Image) DepthwiseFilter(dy, sum []float32, r0, r1 int)                         { panic(missing) }
func (*Image) SpaceToDepth(r0, r1 int, y []float32)                                  { panic(missing) }
func WinogradFilters(m int, f *Factor, p0, p1 int, u []float32)                      { panic(missing) }
func (*Gather) WinogradScratch(m, tiles int) int                                     { panic(missing) }
func (*Gather) Winograd(m, t0, t1 int, scratch []float32)                            { panic(missing) }
func WinogradOuterScratch(m, rows, cols int) int                                     { panic(missing) }
func (*Outer) Winograd(m int, b Block, c []float32, ldc int, add bool, scratch []float32) {
	panic(missing)
}
func (*Image) WinogradTilesSize(m, width int) int { panic(missing) }
func (*Image) WinogradTiles(m int, gradient bool, width, c0, c1, t0, t1 int, v []float32) {
	panic(missing)
}
func (*Gather) WinogradColumnsScratch(m, width, cols int) int                      { panic(missing) }
func (*Gather) WinogradColumns(m int, v []float32, width, j0, j1 int, _ []float32) { panic(missing) }
func WinogradOuterColumnsScratch(m, rows, cols int) int                            { panic(missing) }
func (*Outer) WinogradColumns(m int, dy []float32, width int, x []float32, b Block, c []float32, ldc int, add bool, _ []float32) {
	panic(missing)
}
func (*Image) StemScratch(filters int) int { panic(missing) }
func (*Image) StemForward(weights []float32, filters int, bias []float32, act int, planes, y []float32, n0, n1 int, scratch []float32) {
	panic(missing)
}
func (*Image) StemBackward(dy, planes []float32, act, filters int, dw []float32, db []float64, n0, n1 int, add bool, scratch []float32) {
	panic(missing)
}
func (*Image) ThinScratch(filters int) int { panic(missing) }
func (*Image) ThinForward(weights []float32, filters int, y []float32, e *Epilogue, n0, n1 int, scratch []float32) {
	panic(missing)
}
func (*Image) ThinFilter(dy []float32, filters int, dw []float32, n0, n1 int, add bool, scratch []float32) {
	panic(missing)
}
func (*Image) Spread(_ []float32, _ []int64, _ []float32, _ int, _ []float32, n0, n1 int, _ bool) {
	panic(missing)
}
func sgemmScratch(rows, cols int) int { panic(missing) }
func sgemm(transA, transB bool, p Block, m, n int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, add bool, scratch []float32) {
	panic(missing)
}

// A layout is what cgo builds compare between Go and C.
type layout struct {
	name                         string
	goSize, cSize, goLast, cLast uintptr
}

func layouts() []layout { return nil }
