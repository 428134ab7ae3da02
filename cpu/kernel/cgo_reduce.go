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

// Moments adds the rows of x and of x² to sum and squares.
func Moments(sum, squares []float64, x []float32) {
	C.cnn_run_moments(first64(sum), first64(squares), first(x), C.int64_t(len(x)/len(sum)), C.int64_t(len(sum)))
}

// GradientSums adds the rows of dy and of dy·(x-mean) to sum and product.
func GradientSums(sum, product []float64, x, dy, mean []float32) {
	C.cnn_run_gradient_sums(first64(sum), first64(product), first(x), first(dy), first(mean), C.int64_t(len(x)/len(sum)), C.int64_t(len(sum)))
}

// Affine computes y = scale·(x-center) + shift for rows of len(scale) channels; y may be x.
func Affine(y, x, scale, center, shift []float32) {
	C.cnn_run_affine(first(y), first(x), first(scale), first(center), first(shift), C.int64_t(len(y)/len(scale)), C.int64_t(len(scale)))
}

// AffineBackward computes dx (+)= scale·dy + slope·(x-mean) + shift; without x only the first term. dx may be dy.
func AffineBackward(dx, dy, x, scale, slope, mean, shift []float32, add bool) {
	C.cnn_run_affine_backward(first(dx), first(dy), first(x), first(scale), first(slope), first(mean), first(shift),
		C.int64_t(len(dx)/len(scale)), C.int64_t(len(scale)), truth(add))
}
