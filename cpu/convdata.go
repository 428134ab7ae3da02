package cpu

import (
	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
	"gonum.org/v1/gonum/blas"
)

func bindConvBackwardData(b *binder, g device.ConvBackwardData) []phase {
	b.workspace(g.Workspace)
	dy, w, dx := b.mem(g.DY, g.Out(g.K)), b.mem(g.Weight, g.FilterLen()), b.mem(g.DX, g.In())
	l := lower(g.Conv)
	m := b.dev.minimal(&l)
	switch {
	case l.depthwise():
		return depthwiseBackwardData(b, l, dy, w, dx, g.Accumulate)
	case m == kernel.Strided:
		return winograd(b, m, stridedBackward(g.Conv, dy, w, dx, g.Accumulate)...)
	case m > 0:
		list, _ := gatherBackward(g.Conv, dy, w, dx, g.Accumulate)
		return winograd(b, m, list...)
	case l.narrow():
		return spread(b, l, dy, w, dx, g.Accumulate)
	case kernel.Available:
		return scattered(b, g.Conv, dy, w, dx, g.Accumulate)
	case l.pointwise():
		return product{m: l.pixels, n: l.C, k: l.K, ta: blas.NoTrans, tb: blas.NoTrans, a: dy, b: w, c: dx, accumulate: g.Accumulate}.phases(b)
	}
	return loweredBackwardData(b, l, dy, w, dx, g.Accumulate)
}

// loweredBackwardData computes the gradient of the lowered image, dY·W, block by block, and adds each block to the pixels it
// was lowered from. Windows overlap, so one task does all windows of an image, in order, for some of the channels.
func loweredBackwardData(b *binder, l lowering, dy, w, dx []float32, add bool) []phase {
	// Images of a few pixels share a task: a product with four rows reads the filters as often as one with 64.
	images := every(l.N, max(1, rowBlock/(l.P*l.Q)))
	channels := split(l.cg, max(1, wanted/(images.count*l.Groups)), rowBlock)
	spans := make([][]span, channels.count)
	for i := range spans {
		c0, c1 := channels.at(i)
		spans[i] = l.spans(c0, c1, colBlock)
	}
	buf := b.perWorker(rowBlock * min(colBlock, l.depth))
	return []phase{{images.count * l.Groups * channels.count, func(task, worker int) {
		n0, n1 := images.at(task % images.count)
		part := task / images.count % channels.count
		g := task / images.count / channels.count
		if !add {
			c0, c1 := channels.at(part)
			l.clear(dx, n0, n1, g*l.cg+c0, g*l.cg+c1)
		}
		for i0, end := n0*l.P*l.Q, n1*l.P*l.Q; i0 < end; i0 += rowBlock {
			i1 := min(i0+rowBlock, end)
			for _, s := range spans[part] {
				sgemm(blas.NoTrans, blas.NoTrans, i1-i0, s.n, l.kg,
					dy[i0*l.K+g*l.kg:], l.K, w[g*l.kg*l.depth+s.off:], l.depth, 0, buf[worker], s.n)
				l.scatter(dx, buf[worker], g, i0, i1, s)
			}
		}
	}}}
}

// clear zeroes channels [c0, c1) of images [n0, n1).
func (l *lowering) clear(dx []float32, n0, n1, c0, c1 int) {
	size := l.H * l.W * l.C
	images := dx[n0*size : n1*size]
	if c1-c0 == l.C {
		clear(images)
		return
	}
	for o := 0; o < len(images); o += l.C {
		clear(images[o+c0 : o+c1])
	}
}
