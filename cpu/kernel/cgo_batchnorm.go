//go:build cgo

package kernel

// #include "kernel.h"
import "C"

// Moments adds the rows of x and of x² to sum and squares.
func Moments(sum, squares []float64, x []float32) {
	C.cnn_run_moments(first64(sum), first64(squares), first(x), C.int64_t(len(x)/len(sum)), C.int64_t(len(sum)))
}

// GradientSums adds the rows of g = dy·act'(y) and of g·(x-mean) to sum and product. Without an activation there is no y. Residual (+)= g, if it is
// there; it may be dy.
func GradientSums(sum, product []float64, x, dy, y []float32, act int, mean, residual []float32, add bool) {
	C.cnn_run_gradient_sums(first64(sum), first64(product), first(x), first(dy), first(y), C.int64_t(act), first(mean), first(residual), truth(add),
		C.int64_t(len(x)/len(sum)), C.int64_t(len(sum)))
}

// Affine computes y = act(scale·(x-center) + shift + residual) for rows of len(scale) channels; residual may be nil. y may be x or residual.
func Affine(y, x, scale, center, shift, residual []float32, act int) {
	C.cnn_run_affine(first(y), first(x), first(scale), first(center), first(shift), first(residual), C.int64_t(act),
		C.int64_t(len(y)/len(scale)), C.int64_t(len(scale)))
}

// AffineBackward computes dx (+)= scale·g + slope·(x-mean) + shift with g = dy·act'(y); without x only the first term. dx may be dy or x.
func AffineBackward(dx, dy, y []float32, act int, x, scale, slope, mean, shift []float32, add bool) {
	C.cnn_run_affine_backward(first(dx), first(dy), first(y), C.int64_t(act), first(x), first(scale), first(slope), first(mean), first(shift), truth(add),
		C.int64_t(len(dx)/len(scale)), C.int64_t(len(scale)))
}
