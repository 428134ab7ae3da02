//go:build cuda && cgo && linux

package gpu

import "github.com/cnnctl/cnnctl/device"

// bindGemm computes a matrix product with a kernel of gemm.cu.
func bindGemm(b *binder, g device.Gemm) {
	b.workspace(g.Workspace)
	p := product{m: g.M, n: g.N, depth: g.K, groups: 1, precision: g.Precision}
	if g.Precision != device.FP32 && g.TransA && g.TransB {
		p.only = "64x64" // such as no network has
	}
	q := b.planned(p)
	partial := b.parts(p, q)
	matrixA, matrixB, o := b.mem(g.A), b.mem(g.B), b.output(g.C, g.CType, g.Epilogue, g.Accumulate, g.N, g.N)
	// Neighbours in memory lie in one row of an operand as it is stored.
	rowA, rowB, letters := g.K, g.N, []byte("nn")
	if g.TransA {
		rowA, letters[0] = g.M, 't'
	}
	if g.TransB {
		rowB, letters[1] = g.K, 't'
	}
	t := g.Precision.Type()
	flags := o.flags | words(matrixA, rowA, t, wordsA) | words(matrixB, rowB, t, wordsB)
	b.launchProduct("gemm_"+string(letters), p, q, o.y, matrixA, matrixB, partial, o.bias, o.residual, int32(g.M), int32(g.N), int32(g.K), int32(q.perPart), o.act, flags)
	b.addParts(p, q, partial, o, g.N, 0)
}
