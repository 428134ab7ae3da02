//go:build cgo

package kernel

// #include "kernel.h"
import "C"

import "unsafe"

// MaxForward writes grid rows [r0, r1) of all images: the largest elements to y, their taps to arg, which may be nil.
func (m *Image) MaxForward(y, arg []float32, r0, r1 int) {
	C.cnn_run_max_forward(image(m), first(y), first(arg), C.int64_t(r0), C.int64_t(r1))
}

// MaxBackward adds dy to the elements of image n of dx that were largest; the image's own pixels are not read.
func (m *Image) MaxBackward(dy, arg, dx []float32, n int, add bool) {
	C.cnn_run_max_backward(image(m), first(dy), first(arg), first(dx), C.int64_t(n), truth(add))
}

// AffineMax writes grid rows [r0, r1) of all images: the largest of the elements act(scale·(x-center) + shift) of each window to y, their taps to arg, and the
// x of which they were made to from.
func (m *Image) AffineMax(scale, center, shift []float32, act int, y, arg, from []float32, r0, r1 int) {
	C.cnn_run_affine_max(image(m), first(scale), first(center), first(shift), C.int64_t(act), first(y), first(arg), first(from), C.int64_t(r0),
		C.int64_t(r1))
}

// AffineMaxBackward computes rows [r0, r1) of all images of dx (+)= scale·g + slope·(x-mean) + shift, where g is the sum of dy·act'(y) over the windows in
// which the element was the largest. dx may be the image itself; without an activation there is no y.
func (m *Image) AffineMaxBackward(dy, y []float32, act int, arg, dx, scale, slope, mean, shift []float32, r0, r1 int, add bool) {
	C.cnn_run_affine_max_backward(image(m), first(dy), first(y), C.int64_t(act), first(arg), first(dx), first(scale), first(slope), first(mean),
		first(shift), truth(add), C.int64_t(r0), C.int64_t(r1))
}

// MeanForward averages rows [r0, r1) of all images of (h, w, c) into y.
func MeanForward(x, y []float32, h, w, c int, rows, cols []Taps, r0, r1 int) {
	r, p := taps(rows)
	s, q := taps(cols)
	C.cnn_run_mean_forward(first(x), first(y), C.int64_t(h), C.int64_t(w), C.int64_t(c), r, p, s, q, C.int64_t(r0), C.int64_t(r1))
}

// MeanBackward spreads dy over image n of dx.
func MeanBackward(dy, dx []float32, h, w, c int, rows, cols []Taps, n int, add bool) {
	r, p := taps(rows)
	s, q := taps(cols)
	C.cnn_run_mean_backward(first(dy), first(dx), C.int64_t(h), C.int64_t(w), C.int64_t(c), r, p, s, q, C.int64_t(n), truth(add))
}

// DepthwiseForward computes grid rows [r0, r1) of all images; weights are (R·S, C).
func (m *Image) DepthwiseForward(weights, y []float32, e *Epilogue, r0, r1 int) {
	C.cnn_run_depthwise_forward(image(m), first(weights), first(y), (*C.cnn_epilogue)(unsafe.Pointer(e)), C.int64_t(r0), C.int64_t(r1))
}

// DepthwiseData computes rows [r0, r1) of all images of the gradient of the input; the image's own pixels are not read.
func (m *Image) DepthwiseData(weights, dy, dx []float32, r0, r1 int, add bool) {
	C.cnn_run_depthwise_data(image(m), first(weights), first(dy), first(dx), C.int64_t(r0), C.int64_t(r1), truth(add))
}

// DepthwiseFilter writes the gradient of the weights over grid rows [r0, r1) of all images to sum, (R·S, C).
func (m *Image) DepthwiseFilter(dy, sum []float32, r0, r1 int) {
	C.cnn_run_depthwise_filter(image(m), first(dy), first(sum), C.int64_t(r0), C.int64_t(r1))
}

// SpaceToDepth writes rows [r0, r1) of all images of y, whose pixels are StepH x StepW pixels each of those of m.
func (m *Image) SpaceToDepth(r0, r1 int, y []float32) {
	C.cnn_run_space_to_depth(image(m), C.int64_t(r0), C.int64_t(r1), first(y))
}

// ThinScratch returns the floats that a task of ThinForward or ThinFilter needs.
func (m *Image) ThinScratch(filters int) int {
	return int(C.cnn_thin_scratch(image(m), C.int64_t(filters)))
}

// ThinForward computes images [n0, n1) of a convolution of images of one channel, whose windows are one column apart.
func (m *Image) ThinForward(weights []float32, filters int, y []float32, e *Epilogue, n0, n1 int, scratch []float32) {
	C.cnn_run_thin_forward(image(m), first(weights), C.int64_t(filters), first(y), (*C.cnn_epilogue)(unsafe.Pointer(e)), C.int64_t(n0),
		C.int64_t(n1), first(scratch))
}

// ThinFilter writes the gradient of the filters over images [n0, n1) to dw, or adds it there.
func (m *Image) ThinFilter(dy []float32, filters int, dw []float32, n0, n1 int, add bool, scratch []float32) {
	C.cnn_run_thin_filter(image(m), first(dy), C.int64_t(filters), first(dw), C.int64_t(n0), C.int64_t(n1), truth(add), first(scratch))
}

// StemScratch returns the floats that a task of StemForward or StemBackward needs.
func (m *Image) StemScratch(filters int) int {
	return int(C.cnn_stem_scratch(image(m), C.int64_t(filters)))
}

// StemForward computes images [n0, n1) of a convolution of images of one channel with its activation, (N, filters, P, Q), and of the means of
// 2x2 windows, y. bias may be nil.
func (m *Image) StemForward(weights []float32, filters int, bias []float32, act int, planes, y []float32, n0, n1 int, scratch []float32) {
	C.cnn_run_stem_forward(image(m), first(weights), C.int64_t(filters), first(bias), C.int64_t(act), first(planes), first(y), C.int64_t(n0),
		C.int64_t(n1), first(scratch))
}

// StemBackward writes the gradients of the filters and of the bias over images [n0, n1) to dw and db, or adds them there. dy is the gradient
// of the means, planes is what StemForward left.
func (m *Image) StemBackward(dy, planes []float32, act, filters int, dw []float32, db []float64, n0, n1 int, add bool, scratch []float32) {
	C.cnn_run_stem_backward(image(m), first(dy), first(planes), C.int64_t(act), C.int64_t(filters), first(dw), first64(db), C.int64_t(n0),
		C.int64_t(n1), truth(add), first(scratch))
}

// Spread computes images [n0, n1) of the gradient dx of an image with few channels. order lists the filter rows, packed holds their factors,
// (panels, len(order), filters, columns of a tile).
func (m *Image) Spread(packed []float32, order []int64, dy []float32, filters int, dx []float32, n0, n1 int, add bool) {
	C.cnn_run_spread(image(m), first(packed), (*C.int64_t)(unsafe.SliceData(order)), first(dy), C.int64_t(filters), first(dx), C.int64_t(n0),
		C.int64_t(n1), truth(add))
}

// NarrowScratch returns the floats that a task of NarrowFilter needs.
func (m *Image) NarrowScratch(filters int) int {
	return int(C.cnn_narrow_scratch(image(m), C.int64_t(filters)))
}

// NarrowFilter writes the gradient of the filters of an image with few channels over grid rows [r0, r1) of all images to sum,
// (R·S·C, filters), or adds it there.
func (m *Image) NarrowFilter(dy []float32, filters int, sum []float32, r0, r1 int, add bool, scratch []float32) {
	C.cnn_run_narrow_filter(image(m), first(dy), C.int64_t(filters), first(sum), C.int64_t(r0), C.int64_t(r1), truth(add), first(scratch))
}
