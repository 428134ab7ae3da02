//go:build cgo

package kernel

// #include "kernel.h"
import "C"

// SumRows adds the rows of x, (len(x)/len(sum), len(sum)), to sum.
func SumRows(sum []float64, x []float32) {
	C.cnn_run_sum_rows(first64(sum), first(x), C.int64_t(len(x)/len(sum)), C.int64_t(len(sum)))
}

// SumSquares writes the sum of x² to sum[0].
func SumSquares(sum []float64, x []float32) {
	C.cnn_run_sum_squares(first64(sum), first(x), C.int64_t(len(x)))
}
