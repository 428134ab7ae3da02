//go:build cuda && cgo && linux

package gpu

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// An image is what the kernels of conv_*.cu know of the geometry: IMAGE_PARAMETERS of conv.cuh.
type image struct {
	images, height, width, pitch int // what is read
	down, across                 int // windows in an image
	strideH, strideW             int
	firstH, firstW               int // where the first window begins
	taps                         [2]int
	channels                     int // of one group
	stepH, stepW                 int // between taps
}

// windows is the number of pixels whose windows are read, depth that of the taps of each.
func (v image) windows() int { return v.images * v.down * v.across }
func (v image) depth() int   { return v.taps[0] * v.taps[1] * v.channels }

func (v image) args() []any {
	return []any{int32(v.images), int32(v.height), int32(v.width), int32(v.pitch),
		int32(v.down), magic(v.down), int32(v.across), magic(v.across),
		int32(v.strideH), int32(v.strideW), int32(v.firstH), int32(v.firstW),
		int32(v.taps[0]), int32(v.taps[1]), magic(v.taps[1]), int32(v.channels), magic(v.channels), int32(v.stepH), int32(v.stepW)}
}

// maxCoordinate is less than 2^29, so that coordinates of pixels and taps together stay below what conv.cuh calls outside.
const maxCoordinate = 1 << 28

// input is the image that the windows of a convolution read: X.
func (b *binder) input(v device.Conv) image {
	reach := max(v.H, v.W, v.P*v.StrideH+v.PadTop, v.Q*v.StrideW+v.PadLeft, v.R*v.DilH, v.S*v.DilW, v.C, v.K)
	if reach > maxCoordinate {
		b.fail(fmt.Errorf("cuda: %T: %w: %d channels, or rows or columns that windows reach over, wanted at most %d", b.call, device.ErrUnsupported, reach, maxCoordinate))
	}
	return image{images: v.N, height: v.H, width: v.W, pitch: v.C, down: v.P, across: v.Q, strideH: v.StrideH, strideW: v.StrideW,
		firstH: -v.PadTop, firstW: -v.PadLeft, taps: [2]int{v.R, v.S}, channels: v.C / v.Groups, stepH: v.DilH, stepW: v.DilW}
}

// pointwise reports whether a convolution is a matrix product as it is: of pixels (N·H·W, C) and filters (K, C).
func pointwise(v device.Conv) bool {
	return v.R == 1 && v.S == 1 && v.Groups == 1 && v.StrideH == 1 && v.StrideW == 1 && v.PadTop == 0 && v.PadLeft == 0 && v.P == v.H && v.Q == v.W
}

func bindConvForward(b *binder, f device.ConvForward) {
	if depthwise(f.Conv) {
		bindDepthwiseForward(b, f)
		return
	}
	if pointwise(f.Conv) {
		bindGemm(b, device.Gemm{M: f.N * f.H * f.W, N: f.K, K: f.C, Precision: f.Precision, CType: f.Precision.Type(), TransB: true,
			A: f.X, B: f.Weight, C: f.Y, Epilogue: f.Epilogue, Workspace: f.Workspace})
		return
	}
	b.workspace(f.Workspace)
	v, n := b.input(f.Conv), f.K/f.Groups
	p := product{m: v.windows(), n: n, depth: v.depth(), groups: f.Groups, precision: f.Precision}
	q := b.planned(p)
	partial := b.parts(p, q)
	t := f.Precision.Type()
	x, weight, o := b.mem(f.X), b.mem(f.Weight), b.output(f.Y, t, f.Epilogue, false, n, f.K)
	flags := o.flags | words(x, v.channels, t, wordsA) | words(weight, p.depth, t, wordsB)
	b.launchProduct("conv_forward", p, q, append([]any{
		o.y, x, weight, partial, o.bias, o.residual, int32(n), int32(f.K), int32(q.perPart), o.act, flags}, v.args()...)...)
	b.addParts(p, q, partial, o, f.K, n)
}

func bindConvBackwardFilter(b *binder, g device.ConvBackwardFilter) {
	if depthwise(g.Conv) {
		bindDepthwiseBackwardFilter(b, g)
		return
	}
	if pointwise(g.Conv) {
		bindGemm(b, device.Gemm{M: g.K, N: g.C, K: g.N * g.H * g.W, Precision: g.Precision, TransA: true,
			A: g.DY, B: g.X, C: g.DWeight, Accumulate: g.Accumulate, Workspace: g.Workspace})
		return
	}
	b.workspace(g.Workspace)
	v, m := b.input(g.Conv), g.K/g.Groups
	p := product{m: m, n: v.depth(), depth: v.windows(), groups: g.Groups, precision: g.Precision}
	q := b.planned(p)
	partial := b.parts(p, q)
	x, dy, o := b.mem(g.X), b.mem(g.DY), b.output(g.DWeight, device.Float32, device.Epilogue{}, g.Accumulate, p.n, p.n)
	t := g.Precision.Type()
	flags := o.flags | words(dy, m, t, wordsA) | words(x, v.channels, t, wordsB)
	b.launchProduct("conv_filter", p, q, append([]any{
		o.y, x, dy, partial, int32(m), int32(g.K), int32(q.perPart), flags}, v.args()...)...)
	b.addParts(p, q, partial, o, p.n, m*p.n)
}
