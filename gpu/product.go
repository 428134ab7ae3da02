//go:build cuda && cgo && linux

package gpu

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
	"gorgonia.org/cu"
)

// The bits of the kernels' parameter flags: enum Flag of matrix.cuh.
const (
	vectorA = 1 << iota
	vectorB
	vectorResult
	addToResult
)

// An output is where the result of a product goes, and its epilogue.
type output struct {
	y, bias, residual cu.DevicePtr
	act               int32
	flags             int32
}

// output places a result whose rows are so long in memory. Its columns are taken four at a time where the operands and the
// columns of every group allow it.
func (b *binder) output(y device.Mem, e device.Epilogue, accumulate bool, columns, pitch int) output {
	o := output{y: b.mem(y), bias: b.mem(e.Bias), residual: b.mem(e.Residual), act: int32(e.Act)}
	if aligned(o.y, o.bias, o.residual) && columns%4 == 0 && pitch%4 == 0 {
		o.flags |= vectorResult
	}
	if accumulate {
		o.flags |= addToResult
	}
	return o
}

// maxExtent bounds what the kernels count in 32 bits: rows, columns and depths with the tile that begins before their end.
const maxExtent = 1<<31 - 1<<10

// planned chooses the plan of a product. It fails if the product is larger than the kernels can count.
func (b *binder) planned(p product) plan {
	if max(p.m, p.n, p.depth) > maxExtent {
		b.fail(fmt.Errorf("cuda: %T: %w: a product of %d x %d x %d, wanted at most %d; use a smaller batch",
			b.call, device.ErrUnsupported, p.m, p.n, p.depth, maxExtent))
		return plan{}
	}
	return choose(p, b.dev.info.Multiprocessors)
}

// choose is product.plan. Tests replace it, to run what the cost model would not choose for their small shapes.
var choose = product.plan

// parts returns the memory for the parts of a product's results, (parts, groups, m, n), or zero if the depth is whole.
func (b *binder) parts(p product, q plan) cu.DevicePtr {
	if q.parts < 2 {
		return 0
	}
	return b.scratch(4 * int64(q.parts) * int64(p.groups) * int64(p.m) * int64(p.n))
}

// grid returns the grid of a product: (tiles, groups, parts).
func (p product) grid(q plan) grid {
	return grid{x: int(p.blocks(q.tile)), y: p.groups, z: q.parts}
}

// addParts adds up the parts of a product whose rows are pitch elements apart, and its groups groupPitch.
func (b *binder) addParts(p product, q plan, partial cu.DevicePtr, o output, pitch, groupPitch int) {
	if q.parts < 2 {
		return
	}
	g := b.stride(int64(p.m)*int64(p.n), 256)
	g.y = p.groups
	b.launch("gemm", "add_partials_f32", g, o.y, partial, o.bias, o.residual, int32(q.parts), int32(p.m), int32(p.n),
		int64(pitch), int64(groupPitch), o.act, o.flags)
}
