//go:build cuda && cgo && linux

package gpu

import "github.com/cnnctl/cnnctl/device"

// bindGemm computes a matrix product with a kernel of gemm.cu.
func bindGemm(b *binder, g device.Gemm) {
	b.workspace(g.Workspace)
	p := product{m: g.M, n: g.N, depth: g.K, groups: 1}
	q := b.planned(p)
	partial := b.parts(p, q)
	matrixA, matrixB, o := b.mem(g.A), b.mem(g.B), b.output(g.C, g.Epilogue, g.Accumulate, g.N, g.N)
	// Neighbours in memory lie in one row of an operand as it is stored.
	rowA, rowB, letters := g.K, g.N, []byte("nn")
	if g.TransA {
		rowA, letters[0] = g.M, 't'
	}
	if g.TransB {
		rowB, letters[1] = g.K, 't'
	}
	flags := o.flags
	if aligned(matrixA) && rowA%4 == 0 {
		flags |= vectorA
	}
	if aligned(matrixB) && rowB%4 == 0 {
		flags |= vectorB
	}
	b.launch("gemm", "gemm_"+string(letters)+"_"+q.name+"_f32", p.grid(q),
		o.y, matrixA, matrixB, partial, o.bias, o.residual, int32(g.M), int32(g.N), int32(g.K), int32(q.perPart), o.act, flags)
	b.addParts(p, q, partial, o, g.N, 0)
}
