package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/cnnctl/cnnctl/philox"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/blas/testblas"
)

// sets runs f with the kernels of every instruction set that this processor has.
func sets(t *testing.T, f func(t *testing.T)) {
	if !Available {
		t.Run("gonum", f)
		return
	}
	best := Name()
	defer Use(best)
	for _, name := range []string{"AVX-512", "AVX2", "SSE2", "NEON", "portable"} {
		if Use(name) {
			t.Run(name, f)
		}
	}
}

// double lets gonum's tests of Dgemm test Sgemm: their numbers are small integers and halves, for which float32 is exact.
type double struct{}

func single(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

func (double) Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	y := single(c)
	BLAS{}.Sgemm(tA, tB, m, n, k, float32(alpha), single(a), lda, single(b), ldb, float32(beta), y, ldc)
	for i, v := range y {
		c[i] = float64(v)
	}
}

func TestGonumsDgemmCases(t *testing.T) {
	sets(t, func(t *testing.T) { testblas.TestDgemm(t, double{}) })
}

// Sizes around the edges of tiles, chunks and blocks, against float64.
func TestSgemm(t *testing.T) {
	sets(t, func(t *testing.T) {
		for _, s := range [][3]int{
			{1, 1, 1}, {5, 7, 3}, {6, 16, 8}, {7, 17, 9}, {12, 32, 640}, {13, 33, 641}, {11, 31, 1281}, {25, 8, 513}, {1, 100, 300}, {100, 1, 511},
			{385, 40, 20}, {30, 513, 20},
		} {
			for _, tA := range []blas.Transpose{blas.NoTrans, blas.Trans} {
				for _, tB := range []blas.Transpose{blas.NoTrans, blas.Trans} {
					for _, ab := range [][2]float32{{1, 0}, {1, 1}, {-0.5, 2}} {
						checkSgemm(t, tA, tB, s[0], s[1], s[2], ab[0], ab[1])
					}
				}
			}
		}
	})
}

func checkSgemm(t *testing.T, tA, tB blas.Transpose, m, n, k int, alpha, beta float32) {
	t.Helper()
	rnd := philox.New(1, philox.Test, m*1000+n, k)
	// matrix returns a (rows, cols) matrix, stored transposed if t says so, with a gap between its rows, and its leading dimension.
	matrix := func(rows, cols int, t blas.Transpose) ([]float32, []float64, int) {
		if t == blas.Trans {
			rows, cols = cols, rows
		}
		ld := cols + 3
		x, y := make([]float32, (rows-1)*ld+cols), make([]float64, (rows-1)*ld+cols)
		for i := range x {
			x[i] = float32(rnd.Normal())
			y[i] = float64(x[i])
		}
		return x, y, ld
	}
	a, a64, lda := matrix(m, k, tA)
	b, b64, ldb := matrix(k, n, tB)
	c, c64, ldc := matrix(m, n, blas.NoTrans)
	if beta == 0 {
		for i := range m {
			for j := range n {
				c[i*ldc+j] = float32(math.NaN()) // which must not be read
			}
		}
	}
	gonum.Implementation{}.Dgemm(tA, tB, m, n, k, float64(alpha), a64, lda, b64, ldb, float64(beta), c64, ldc)
	BLAS{}.Sgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	tolerance := 1e-6 * (4 + math.Sqrt(float64(k)))
	for i := range c {
		if d := math.Abs(float64(c[i]) - c64[i]); !(d <= tolerance*(1+math.Abs(c64[i]))) {
			t.Errorf("%c%c %dx%dx%d, alpha %v, beta %v: element %d is %v, want %v", tA, tB, m, n, k, alpha, beta, i, c[i], c64[i])
			return
		}
	}
}

func TestSgemmPanicsAsGonum(t *testing.T) {
	x := make([]float32, 4)
	message := func(f func(blas.Transpose, blas.Transpose, int, int, int, float32, []float32, int, []float32, int, float32, []float32, int), m, lda int) (text string) {
		defer func() { text = fmt.Sprint(recover()) }()
		f(blas.NoTrans, blas.NoTrans, m, 2, 2, 1, x, lda, x, 2, 0, x, 2)
		return ""
	}
	for _, c := range [][2]int{{-1, 2}, {2, 1}, {3, 2}} {
		want := message(gonum.Implementation{}.Sgemm, c[0], c[1])
		if got := message(BLAS{}.Sgemm, c[0], c[1]); got != want || want == "<nil>" {
			t.Errorf("m %d, lda %d: panics with %q, want %q", c[0], c[1], got, want)
		}
	}
}

func BenchmarkSgemm(b *testing.B) {
	const n = 512
	x, y, c := make([]float32, n*n), make([]float32, n*n), make([]float32, n*n)
	rnd := philox.New(1, philox.Test, 0, 0)
	for i := range x {
		x[i], y[i] = float32(rnd.Normal()), float32(rnd.Normal())
	}
	for _, impl := range []struct {
		name  string
		sgemm func(blas.Transpose, blas.Transpose, int, int, int, float32, []float32, int, []float32, int, float32, []float32, int)
	}{{"kernel", BLAS{}.Sgemm}, {"gonum", gonum.Implementation{}.Sgemm}} {
		b.Run(impl.name, func(b *testing.B) {
			for b.Loop() {
				impl.sgemm(blas.NoTrans, blas.NoTrans, n, n, n, 1, x, n, y, n, 0, c, n)
			}
			b.ReportMetric(2*n*n*n*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
