//go:build cuda && cgo && linux

package gpu

import "github.com/cnnctl/cnnctl/device"

// reduceThreads is the block size of reduce.cu.
const reduceThreads = 256

func bindNorm2(b *binder, m device.Norm2) {
	b.workspace(m.Workspace)
	// At least 16 elements a thread, and not more blocks than the second launch adds up quickly. The number depends on the length alone, and so
	// does the result.
	parts := min(1024, ceilDiv(int64(m.N), 16*reduceThreads))
	partial := b.scratch(8 * parts)
	x := b.mem(m.X)
	b.launch("reduce", "sum_squares_f32", grid{x: int(parts)}, partial, x, int64(m.N), boolArg(aligned(x)))
	b.launch("reduce", "root_of_sum_f64", grid{}, b.mem(m.Y), partial, int32(parts))
}

func bindBiasGrad(b *binder, g device.BiasGrad) {
	b.workspace(g.Workspace)
	rows, cols := int64(g.Rows), int64(g.Cols)
	width := min(32, nextPowerOfTwo(cols))
	across := ceilDiv(cols, width)
	// About 1024 blocks in all, each with at least 8 rows for every thread.
	parts := max(1, min(ceilDiv(1024, across), ceilDiv(rows, 8*reduceThreads/width)))
	perPart := ceilDiv(rows, parts)
	parts = ceilDiv(rows, perPart)
	partial := b.scratch(8 * parts * cols)
	b.launch("reduce", "column_sums"+stored(g.Type), grid{x: int(across), y: int(parts)}, partial, b.mem(g.DY), rows, cols, perPart, int32(width))
	b.launch("reduce", "add_parts_f64", b.stride(cols, reduceThreads), b.mem(g.DB), partial, cols, int32(parts), boolArg(g.Accumulate))
}
