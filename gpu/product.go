//go:build cuda && cgo && linux

package gpu

import (
	"fmt"
	"strings"

	"github.com/cnnctl/cnnctl/device"
	"gorgonia.org/cu"
)

// The bits of the kernels' parameter flags: enum Flag of matrix.cuh.
const (
	wordsA = 1 << iota
	wordsB
	vectorResult
	addToResult
	halfWordsA
	halfWordsB
	floatResult
)

// words returns the flag that says how an operand may be read whose neighbours come in runs of so many elements: flag in words of 16 bytes, the flag
// for half words in words of 8 bytes, which is done for bfloat16 alone.
func words(p cu.DevicePtr, run int, t device.Type, flag int32) int32 {
	switch bytes := int64(run) * t.Size(); {
	case bytes%16 == 0 && p%16 == 0:
		return flag
	case bytes%8 == 0 && p%8 == 0 && t == device.BFloat16:
		return flag * (halfWordsA / wordsA)
	}
	return 0
}

// An output is where the result of a product goes, and its epilogue.
type output struct {
	y, bias, residual cu.DevicePtr
	typ               device.Type // of y and residual
	act               int32
	flags             int32
}

// output places a result whose rows are so long in memory. Its columns are taken four at a time where the operands and the
// columns of every group allow it.
func (b *binder) output(y device.Mem, t device.Type, e device.Epilogue, accumulate bool, columns, pitch int) output {
	o := output{y: b.mem(y), bias: b.mem(e.Bias), residual: b.mem(e.Residual), typ: t, act: int32(e.Act)}
	if t == device.Float32 {
		o.flags = floatResult
	}
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
	return choose(p, b.dev.info)
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

// launchProduct launches the kernel of a product: its kind, such as conv_forward, its tile and its precision make the name.
func (b *binder) launchProduct(kind string, p product, q plan, args ...any) {
	letters, _, _ := strings.Cut(kind, "_")
	family, suffix := kind, "_f32"
	if letters == "gemm" {
		family = letters
	}
	if p.precision != device.FP32 {
		suffix = "_" + p.precision.String()
		family = letters + suffix
		args = append(args, int32(q.stages))
	}
	b.launchShared(family, kind+"_"+q.name+suffix, p.grid(q), q.dynamicShared(), args...)
}

// addParts adds up the parts of a product whose rows are pitch elements apart, and its groups groupPitch.
func (b *binder) addParts(p product, q plan, partial cu.DevicePtr, o output, pitch, groupPitch int) {
	if q.parts < 2 {
		return
	}
	g := b.stride(int64(p.m)*int64(p.n), 256)
	g.y = p.groups
	family, name := "gemm", "add_partials_f32"
	if o.typ == device.BFloat16 {
		family, name = "gemm_bf16", "add_partials_bf16"
	}
	b.launch(family, name, g, o.y, partial, o.bias, o.residual, int32(q.parts), int32(p.m), int32(p.n),
		int64(pitch), int64(groupPitch), o.act, o.flags)
}
