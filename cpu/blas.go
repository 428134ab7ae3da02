package cpu

import (
	"fmt"
	"strings"

	"github.com/cnnctl/cnnctl/cpu/kernel"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// Sizes of the blocks that are handed to Sgemm. They suit gonum's implementation, whose kernels are a dot product (for
// A·Bᵀ) and a scaled vector addition (for A·B and Aᵀ·B):
//
//   - It starts goroutines, and allocates, for 4 or more blocks of 64x64 elements of C. 64x192 and 192x64 are the largest that it
//     computes in the calling goroutine.
//   - It does not block the sum. With depthBlock the part of B that is read for every row of C stays in the second-level cache.
//   - Vectors of less than shortVector elements take half of its speed; see bindGemm for what is done about those.
const (
	rowBlock    = 64
	colBlock    = 192
	depthBlock  = 256
	shortVector = 48
)

// sgemm computes c = beta·c + op(a)·op(b) for a block of at most rowBlock x colBlock elements, where op(a) is (m, k) and op(b) is (k, n).
func sgemm(ta, tb blas.Transpose, m, n, k int, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	impl := blas32.Implementation()
	stepA, stepB := 1, ldb // from one term of the sum to the next
	if ta == blas.Trans {
		stepA = lda
	}
	if tb == blas.Trans {
		stepB = 1
	}
	for k0 := 0; k0 < k; k0 += depthBlock {
		impl.Sgemm(ta, tb, m, n, min(depthBlock, k-k0), 1, a[k0*stepA:], lda, b[k0*stepB:], ldb, beta, c, ldc)
		beta = 1
	}
}

// Whoever multiplies matrices with gonum beside this package gets the fast product too.
func init() {
	if kernel.Available {
		blas32.Use(kernel.BLAS{})
	}
}

// blasName names the implementation that is registered with blas32, for example "gonum blas32".
func blasName() string {
	// The type is package.Type, and the package's name is what tells implementations apart.
	name, _, _ := strings.Cut(fmt.Sprintf("%T", blas32.Implementation()), ".")
	return strings.TrimPrefix(name, "*") + " blas32"
}

// transpose writes the transpose of src, (rows, cols) with rows lds apart, to dst, (cols, rows) with rows ldd apart.
func transpose(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	// Four columns at a time: each cache line of src is then read for four sequential writes.
	c := 0
	for ; c+4 <= cols; c += 4 {
		d0, d1 := dst[c*ldd:][:rows], dst[(c+1)*ldd:][:rows]
		d2, d3 := dst[(c+2)*ldd:][:rows], dst[(c+3)*ldd:][:rows]
		o := c
		for r := range d0 {
			s := src[o : o+4 : o+4]
			d0[r], d1[r], d2[r], d3[r] = s[0], s[1], s[2], s[3]
			o += lds
		}
	}
	for ; c < cols; c++ {
		d := dst[c*ldd:][:rows]
		o := c
		for r := range d {
			d[r] = src[o]
			o += lds
		}
	}
}
