//go:build cuda && cgo && linux

package gpu

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
	"gorgonia.org/cu"
)

// A class is the rows, or the columns, of an image that have the same remainder by the stride and receive something; see conv_data.cu.
type class struct {
	first, count int // rows first, first+stride, ...
	tap, taps    int // they receive through filter rows tap, tap+stride/g, ...
	output       int // row `first` receives through row `tap` of the filter from this row of the output, which may lie in the padding
}

// classes returns the classes of an axis of n rows and the steps from one tap of a class to the next: in the filter, and in the output.
func classes(n, stride, dilation, pad, filter int) (list []class, inFilter, inOutput int) {
	g := gcd(stride, dilation)
	inFilter, inOutput = stride/g, -dilation/g
	for tap := range min(filter, inFilter) { // each is the first of another class
		first := (tap*dilation - pad) % stride
		if first < 0 {
			first += stride
		}
		if first < n {
			list = append(list, class{first: first, count: (n - first + stride - 1) / stride,
				tap: tap, taps: (filter - tap + inFilter - 1) / inFilter, output: (first + pad - tap*dilation) / stride})
		}
	}
	return list, inFilter, inOutput
}

func gcd(a, b int) int {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}

// maxClasses bounds the launches of one call. Strides as large as that are a mistake.
const maxClasses = 1 << 12

func bindConvBackwardData(b *binder, g device.ConvBackwardData) {
	if depthwise(g.Conv) {
		bindDepthwiseBackwardData(b, g)
		return
	}
	if pointwise(g.Conv) {
		bindGemm(b, device.Gemm{M: g.N * g.H * g.W, N: g.C, K: g.K, Precision: g.Precision, CType: g.Precision.Type(),
			A: g.DY, B: g.Weight, C: g.DX, Accumulate: g.Accumulate, Workspace: g.Workspace})
		return
	}
	b.workspace(g.Workspace)
	b.input(g.Conv) // checks the extent, which is that of the output at most
	rows, stepR, stepP := classes(g.H, g.StrideH, g.DilH, g.PadTop, g.R)
	columns, stepS, stepQ := classes(g.W, g.StrideW, g.DilW, g.PadLeft, g.S)
	if len(rows)*len(columns) > maxClasses {
		b.fail(fmt.Errorf("cuda: %T: %w: strides %dx%d with a window of %dx%d, wanted at most %d launches for each remainder of the stride",
			b.call, device.ErrUnsupported, g.StrideH, g.StrideW, g.R, g.S, maxClasses))
		return
	}
	cg, kg := g.C/g.Groups, g.K/g.Groups
	t := g.Precision.Type()
	dy, weight, o := b.mem(g.DY), b.mem(g.Weight), b.output(g.DX, t, device.Epilogue{}, g.Accumulate, cg, g.C)
	flags := o.flags | words(dy, kg, t, wordsA) | words(weight, cg, t, wordsB)
	element := func(p cu.DevicePtr, i int) cu.DevicePtr { return p + cu.DevicePtr(t.Size()*int64(i)) }
	if !g.Accumulate && (len(rows) < min(g.H, g.StrideH) || len(columns) < min(g.W, g.StrideW)) { // some pixels receive nothing
		b.elementwise("fill", t, g.In(), []cu.DevicePtr{o.y}, float32(0))
	}
	start := b.used
	var scratch int64
	for _, r := range rows {
		for _, c := range columns {
			v := image{images: g.N, height: g.P, width: g.Q, pitch: g.K, down: r.count, across: c.count, strideH: 1, strideW: 1,
				firstH: r.output, firstW: c.output, taps: [2]int{r.taps, c.taps}, channels: kg, stepH: stepP, stepW: stepQ}
			p := product{m: v.windows(), n: cg, depth: v.depth(), groups: g.Groups, precision: g.Precision}
			q := b.planned(p)
			b.used = start // the launches follow each other, and use the same memory
			partial := b.parts(p, q)
			scratch = max(scratch, b.used)
			dx := element(o.y, (r.first*g.W+c.first)*g.C)
			place := []any{int64(g.H * g.W * g.C), int64(g.StrideH * g.W * g.C), int64(g.StrideW * g.C)}
			from := element(weight, (r.tap*g.S+c.tap)*cg)
			args := append([]any{dx, dy, from, partial, int32(cg), int32(q.perPart), flags,
				int64(g.R * g.S * cg), int64(stepR * g.S * cg), int64(stepS * cg)}, place...)
			b.launchProduct("conv_data", p, q, append(args, v.args()...)...)
			if q.parts > 1 {
				grid := b.stride(int64(p.m)*int64(cg), 256)
				grid.y = g.Groups
				family, name := "conv_data", "conv_data_add_partials_f32"
				if t == device.BFloat16 {
					family, name = "conv_bf16", "conv_data_add_partials_bf16"
				}
				b.launch(family, name, grid, append([]any{dx, partial, int32(q.parts), int32(p.m), int32(cg), flags,
					int32(v.down), magic(v.down), int32(v.across), magic(v.across)}, place...)...)
			}
		}
	}
	b.used = scratch
}
