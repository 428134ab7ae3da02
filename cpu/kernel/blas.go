package kernel

import (
	"runtime"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// BLAS is gonum's implementation of the BLAS with the matrix product of this package in its place, for blas32.Use. Without cgo it is gonum's.
type BLAS struct{ gonum.Implementation }

// blasRows and blasCols are the size of the blocks of C that goroutines take; each packs its part of B.
const blasRows, blasCols = 384, 512

// Sgemm computes C = alpha·op(A)·op(B) + beta·C; see gonum.Implementation.Sgemm, with which it shares the layout and the panics. With an
// alpha other than 1 it allocates a matrix of the size of C.
func (g BLAS) Sgemm(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	transA, transB := tA != blas.NoTrans, tB != blas.NoTrans
	if !Available || alpha == 0 || m <= 0 || n <= 0 || k <= 0 || !valid(tA) || !valid(tB) ||
		!holds(a, lda, m, k, transA) || !holds(b, ldb, k, n, transB) || !holds(c, ldc, m, n, false) {
		g.Implementation.Sgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) // nothing to multiply, or something to panic about
		return
	}
	if alpha != 1 {
		product := make([]float32, m*n)
		multiply(transA, transB, m, n, k, a, lda, b, ldb, product, n, false)
		for i := range m {
			g.scale(beta, c[i*ldc:][:n])
			g.Saxpy(n, alpha, product[i*n:], 1, c[i*ldc:], 1)
		}
		return
	}
	if beta != 0 && beta != 1 {
		for i := range m {
			g.scale(beta, c[i*ldc:][:n])
		}
	}
	multiply(transA, transB, m, n, k, a, lda, b, ldb, c, ldc, beta != 0)
}

// scale computes c = beta·c; what is scaled by 0 is not read.
func (g BLAS) scale(beta float32, c []float32) {
	if beta == 0 {
		clear(c)
	} else {
		g.Sscal(len(c), beta, c, 1)
	}
}

func valid(t blas.Transpose) bool { return t == blas.NoTrans || t == blas.Trans || t == blas.ConjTrans }

// holds reports whether x holds a (rows, cols) matrix, or its transpose, with leading dimension ld.
func holds(x []float32, ld, rows, cols int, trans bool) bool {
	if trans {
		rows, cols = cols, rows
	}
	return ld >= cols && len(x) >= (rows-1)*ld+cols
}

// multiply computes C (+)= op(A)·op(B) in blocks that goroutines share.
func multiply(transA, transB bool, m, n, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, add bool) {
	down, across := (m+blasRows-1)/blasRows, (n+blasCols-1)/blasCols
	workers := min(down*across, runtime.GOMAXPROCS(0))
	if m*n*k < 1<<21 {
		workers = 1
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			scratch := make([]float32, sgemmScratch(blasRows, blasCols))
			for t := w; t < down*across; t += workers {
				i, j := t%down*blasRows, t/down*blasCols
				block := Block{M0: i, M1: min(i+blasRows, m), J0: j, J1: min(j+blasCols, n), K1: k}
				sgemm(transA, transB, block, m, n, a, lda, b, ldb, c, ldc, add, scratch)
			}
		})
	}
	wg.Wait()
}
