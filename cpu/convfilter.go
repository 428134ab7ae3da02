package cpu

import (
	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
	"gonum.org/v1/gonum/blas"
)

func bindConvBackwardFilter(b *binder, g device.ConvBackwardFilter) []phase {
	b.workspace(g.Workspace)
	x, dy, dw := b.mem(g.X, g.In()), b.mem(g.DY, g.Out(g.K)), b.mem(g.DWeight, g.FilterLen())
	l := lower(g.Conv)
	m := b.dev.minimal(&l)
	deep, deepM := b.dev.deepen(g.Conv)
	switch {
	case l.depthwise():
		return depthwiseBackwardFilter(b, l, x, dy, dw, g.Accumulate)
	case m > 0:
		return winogradFilter(b, m, g.Conv, x, dy, dw, g.Accumulate)
	case deepM > 0:
		return deepFilter(b, deepM, g.Conv, deep, x, dy, dw, g.Accumulate)
	case l.thin():
		return thinFilter(b, l, x, dy, dw, g.Accumulate)
	case l.narrowFilters():
		return narrowFilter(b, l, x, dy, dw, g.Accumulate)
	case kernel.Available:
		return filterGradient(b, g.Conv, x, dy, dw, g.Accumulate)
	case l.pointwise():
		return product{m: l.K, n: l.C, k: l.pixels, ta: blas.Trans, tb: blas.NoTrans, a: dy, b: x, c: dw, accumulate: g.Accumulate}.phases(b)
	}
	return loweredBackwardFilter(b, l, x, dy, dw, g.Accumulate)
}

// filterTile is the number of pixels whose windows are lowered at a time for the gradient of the filter.
const filterTile = 256

// A filterStep computes columns s of group g of dW = beta·dW + dYᵀ·X for the pixels [i0, i1), with X lowered.
type filterStep func(worker int, dw, x, dy []float32, g, i0, i1 int, s span, beta float32)

// loweredBackwardFilter shares out the columns of dW first, since that costs nothing; if they are few, the pixels too, and each part of
// them sums into an array of its own.
func loweredBackwardFilter(b *binder, l lowering, x, dy, dw []float32, add bool) []phase {
	spans := l.spans(0, l.cg, colBlock)
	var step filterStep
	if l.depth < shallow {
		step = shallowFilterStep(b, l)
	} else {
		step = deepFilterStep(b, l)
	}
	size := l.FilterLen()
	tiles := every(l.pixels, filterTile)
	parts := split(tiles.count, max(1, wanted/2/(len(spans)*l.Groups)), 1)
	var partial []float32
	if parts.count > 1 {
		partial = b.scratch(parts.count * size)
	}
	list := []phase{{parts.count * len(spans) * l.Groups, func(task, worker int) {
		part := task % parts.count
		s := spans[task/parts.count%len(spans)]
		g := task / parts.count / len(spans)
		dst, beta := dw, float32(0)
		if parts.count > 1 {
			dst = partial[part*size:][:size]
		} else if add {
			beta = 1
		}
		t0, t1 := parts.at(part)
		for t := t0; t < t1; t++ {
			i0, i1 := tiles.at(t)
			step(worker, dst, x, dy, g, i0, i1, s, beta)
			beta = 1
		}
	}}}
	if parts.count > 1 {
		list = append(list, elementwise(size, func(lo, hi int) {
			sumPartials(dw, partial, size, lo, hi, parts.count, add)
		})...)
	}
	return list
}

// deepFilterStep multiplies as it stands: the inner loop runs over the columns of dW.
func deepFilterStep(b *binder, l lowering) filterStep {
	buf := b.perWorker(filterTile * min(colBlock, l.depth))
	return func(worker int, dw, x, dy []float32, g, i0, i1 int, s span, beta float32) {
		lowered := buf[worker]
		l.gather(lowered, x, g, i0, i1, s)
		for k := g * l.kg; k < (g+1)*l.kg; k += rowBlock {
			sgemm(blas.Trans, blas.NoTrans, min(rowBlock, (g+1)*l.kg-k), s.n, i1-i0,
				dy[i0*l.K+k:], l.K, lowered, s.n, beta, dw[k*l.depth+s.off:], l.depth)
		}
	}
}

// shallowFilterStep transposes both factors, so that the inner loop is a dot product over the pixels. There is one span.
func shallowFilterStep(b *binder, l lowering) filterStep {
	lowered, gradient := b.perWorker(l.depth*filterTile), b.perWorker(rowBlock*filterTile)
	return func(worker int, dw, x, dy []float32, g, i0, i1 int, _ span, beta float32) {
		n := i1 - i0
		xt, dyt := lowered[worker], gradient[worker]
		l.gatherColumns(xt, x, g, i0, i1)
		for k := g * l.kg; k < (g+1)*l.kg; k += rowBlock {
			m := min(rowBlock, (g+1)*l.kg-k)
			transpose(dyt, n, dy[i0*l.K+k:], l.K, n, m)
			sgemm(blas.NoTrans, blas.Trans, m, l.depth, n, dyt, n, xt, n, beta, dw[k*l.depth:], l.depth)
		}
	}
}
