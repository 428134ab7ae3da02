package cpu

import (
	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
)

// Blocks of shared tiles, and of what their tasks compute: see cpu/kernel/winogradshared.h.
const (
	sharedDepth   = 64  // channels of a block of what a convolution reads: a panel of their transformed filters is 295 kB
	sharedRows    = 128 // filters of a block of the gradient
	sharedColumns = 32  // of a task: a multiple of the columns of every register tile
)

// fewTiles is the number of tiles up to which the products of all of them with the columns of a task stay in the second-level cache (590 kB).
const fewTiles = 128

// manyFilters is the number of elements of a transformed filter for one position from which on the filters of all positions do not stay in there.
const manyFilters = 128 * 128

// sharesTiles reports whether a convolution is to be computed from shared tiles. Their kernels know 3x3 filters at stride 1 alone.
func sharesTiles(m int, g *kernel.Gather) bool {
	return m < kernel.Strided && tiles(m, int(g.A.N), int(g.A.P), int(g.A.Q)) <= fewTiles && g.A.Chan*g.B.N >= manyFilters
}

// shared gives out the memory of shared tiles of an image, or of a gradient of the output, and returns it with the phase that fills it.
func (b *binder) shared(m int, a kernel.Image, gradient bool, width int) ([]float32, phase) {
	channels := int(a.Chan)
	v := b.scratch(a.WinogradTilesSize(m, width))
	blocks := every(channels, width)
	ranges := split(tiles(m, int(a.N), int(a.P), int(a.Q)), max(1, 2*wanted/blocks.count), 8)
	return v, phase{blocks.count * ranges.count, func(task, _ int) {
		c0, c1 := blocks.at(task % blocks.count)
		t0, t1 := ranges.at(task / blocks.count)
		a.WinogradTiles(m, gradient, width, c0, c1, t0, t1, v)
	}}
}

// winogradColumns returns the phases of products over 3x3 windows at stride 1 for few tiles: tasks share out the columns.
func winogradColumns(b *binder, m int, list ...*kernel.Gather) []phase {
	var phases []phase
	scratch := 0
	shared := make([][]float32, len(list))
	for i, g := range list {
		var p phase
		shared[i], p = b.shared(m, g.A, false, sharedDepth)
		phases = append(phases, p)
		scratch = max(scratch, g.WinogradColumnsScratch(m, sharedDepth, min(sharedColumns, int(g.B.N))))
	}
	buf := b.perWorker(scratch)
	for i, g := range list {
		cols := every(int(g.B.N), sharedColumns)
		phases = append(phases, phase{cols.count, func(task, worker int) {
			j0, j1 := cols.at(task)
			g.WinogradColumns(m, shared[i], sharedDepth, j0, j1, buf[worker])
		}})
	}
	return phases
}

// sharedLimit is the number of floats of shared tiles up to which a gradient of filters takes its factors from them.
const sharedLimit = 8 << 20

// sharesGradient reports whether the gradient of filters is to be computed from shared tiles: blocks of the gradient would transform their tiles more
// than twice.
func sharesGradient(m int, v device.Conv) bool {
	kg, cg := v.K/v.Groups, v.C/v.Groups
	return m < kernel.Strided && min(kg, cg) > blockOfFilter && (m+2)*(m+2)*tiles(m, v.N, v.P, v.Q)*(kg+cg) <= sharedLimit
}

// winogradFilterShared returns the phases of the gradient of 3x3 filters at stride 1 from shared tiles.
func winogradFilterShared(b *binder, m int, v device.Conv, x, dy, dw []float32, add bool) []phase {
	_, nr := kernel.Tile()
	kg, cg := v.K/v.Groups, v.C/v.Groups
	rows, cols := every(kg, sharedRows), every(cg, sharedColumns)
	buf := b.perWorker(kernel.WinogradOuterColumnsScratch(m, rows.size, cols.size))
	var phases []phase
	for g := range v.Groups {
		o := &kernel.Outer{A: at(dy, g*kg), Lda: int64(v.K), M: int64(kg), B: image(v, x, g), N: int64(cg)}
		gradient := kernel.Image{X: o.A, H: o.B.P, W: o.B.Q, Stride: o.Lda, N: o.B.N, P: o.B.P, Q: o.B.Q, Chan: o.M}
		left, p := b.shared(m, gradient, true, sharedRows)
		right, q := b.shared(m, o.B, false, nr)
		var to []float32
		if dw != nil {
			to = dw[g*kg*9*cg:]
		}
		phases = append(phases, p, q, phase{rows.count * cols.count, func(task, worker int) {
			var part kernel.Block
			part.M0, part.M1 = rows.at(task / cols.count)
			part.J0, part.J1 = cols.at(task % cols.count)
			o.WinogradColumns(m, left, sharedRows, right, part, to, 9*cg, add, buf[worker])
		}})
	}
	return phases
}
