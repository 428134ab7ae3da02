package cpu

import (
	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
	"gonum.org/v1/gonum/blas"
)

// product is a matrix product C (+)= op(A)·op(B) with an epilogue, cut into tasks. op(A) is (m, k), op(B) is (k, n), C is (m, n).
type product struct {
	m, n, k    int
	ta, tb     blas.Transpose
	a, b, c    []float32
	accumulate bool
	epilogue   epilogue

	rows, cols chunks // blocks of C
	depth      chunks // parts of the sum; each but a single one goes to a partial C of its own
	partial    []float32
}

func bindGemm(b *binder, g device.Gemm) []phase {
	b.workspace(g.Workspace)
	if kernel.Available {
		return multiply(b, g)
	}
	p := product{
		m: g.M, n: g.N, k: g.K, ta: trans(g.TransA), tb: trans(g.TransB),
		a: b.mem(g.A, g.M*g.K), b: b.mem(g.B, g.K*g.N), c: b.mem(g.C, g.M*g.N),
		accumulate: g.Accumulate, epilogue: b.epilogue(g.Epilogue, g.M, g.N),
	}
	return p.phases(b)
}

func trans(t bool) blas.Transpose {
	if t {
		return blas.Trans
	}
	return blas.NoTrans
}

// phases cuts the product into tasks. It takes scratch from b.
func (p product) phases(b *binder) []phase {
	var list []phase
	if p.transposeB() {
		list = append(list, p.packB(b))
	}
	p.blocks()
	if p.depth.count > 1 {
		p.partial = b.scratch(p.depth.count * p.m * p.n)
	}
	list = append(list, phase{p.rows.count * p.cols.count * p.depth.count, func(task, _ int) { p.block(task) }})
	if p.depth.count > 1 {
		list = append(list, p.reduce())
	}
	return list
}

// transposeB reports whether the product is faster with B transposed first. The inner loop of A·B and Aᵀ·B runs over the columns of
// C, that of A·Bᵀ over the sum; where the one is short and the other long, the other form pays for the copy. Aᵀ·Bᵀ reads B with a
// stride and always pays.
func (p product) transposeB() bool {
	switch {
	case p.ta == blas.Trans && p.tb == blas.Trans:
		return true
	case p.tb == blas.Trans:
		return p.k < shortVector && p.n > p.k && p.m > 8
	default:
		return p.ta == blas.NoTrans && p.n < shortVector && p.k > p.n && p.m > 8
	}
}

// packB replaces B by its transpose, and returns the phase that computes it.
func (p *product) packB(b *binder) phase {
	src, dst := p.b, b.scratch(p.k*p.n)
	rows, cols := p.k, p.n // of src
	if p.tb == blas.Trans {
		rows, cols = p.n, p.k
		p.tb = blas.NoTrans
	} else {
		p.tb = blas.Trans
	}
	p.b = dst
	c := split(rows, wanted, max(8, grain/cols))
	return phase{c.count, func(task, _ int) {
		lo, hi := c.at(task)
		transpose(dst[lo:], rows, src[lo*cols:], cols, hi-lo, cols)
	}}
}

// blocks chooses the blocks of C so that there are enough tasks of a size that is worth a task.
func (p *product) blocks() {
	const worth = 1 << 18 // multiply-adds, some 30 µs
	height, width := rowBlock, colBlock
	if p.n <= rowBlock {
		height, width = colBlock, rowBlock
	}
	width = min(width, p.n)
	for height > 8 && (p.m+height-1)/height*((p.n+width-1)/width) < wanted && height/2*width*p.k >= worth {
		height /= 2
	}
	p.rows, p.cols = every(p.m, height), every(p.n, width)
	// A deep product with a small result, such as the gradient of a 1x1 filter, has work for several tasks in the sum alone.
	p.depth = every(p.k, p.k)
	if tiles := p.rows.count * p.cols.count; tiles < wanted/2 && p.k >= 8*depthBlock {
		p.depth = split(p.k, wanted/2/tiles, 4*depthBlock)
	}
}

// block computes one block of C, or of a partial C.
func (p *product) block(task int) {
	i, rest := task%p.rows.count, task/p.rows.count
	r0, r1 := p.rows.at(i)
	c0, c1 := p.cols.at(rest % p.cols.count)
	part := rest / p.cols.count
	k0, k1 := p.depth.at(part)

	a, lda := p.a, p.k
	if p.ta == blas.Trans {
		lda = p.m
		a = a[k0*lda+r0:]
	} else {
		a = a[r0*lda+k0:]
	}
	b, ldb := p.b, p.n
	if p.tb == blas.Trans {
		ldb = p.k
		b = b[c0*ldb+k0:]
	} else {
		b = b[k0*ldb+c0:]
	}
	if p.depth.count > 1 {
		c := p.partial[part*p.m*p.n:]
		sgemm(p.ta, p.tb, r1-r0, c1-c0, k1-k0, a, lda, b, ldb, 0, c[r0*p.n+c0:], p.n)
		return
	}
	beta := float32(0)
	if p.accumulate {
		beta = 1
	}
	sgemm(p.ta, p.tb, r1-r0, c1-c0, k1-k0, a, lda, b, ldb, beta, p.c[r0*p.n+c0:], p.n)
	p.epilogue.apply(p.c, r0, r1, c0, c1)
}

// reduce returns the phase that adds up the partial results.
func (p *product) reduce() phase {
	rows := split(p.m, wanted, max(1, grain/p.n))
	return phase{rows.count, func(task, _ int) {
		r0, r1 := rows.at(task)
		sumPartials(p.c, p.partial, p.m*p.n, r0*p.n, r1*p.n, p.depth.count, p.accumulate)
		p.epilogue.apply(p.c, r0, r1, 0, p.n)
	}}
}

// sumPartials computes elements [lo, hi) of dst (+)= the sum of parts arrays that lie size elements apart, in their order.
func sumPartials(dst, partial []float32, size, lo, hi, parts int, add bool) {
	if !add {
		copy(dst[lo:hi], partial[lo:hi])
	} else {
		accumulate(dst[lo:hi], partial[lo:hi])
	}
	for i := 1; i < parts; i++ {
		accumulate(dst[lo:hi], partial[i*size+lo:i*size+hi])
	}
}
