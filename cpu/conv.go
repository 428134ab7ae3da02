package cpu

import (
	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
	"gonum.org/v1/gonum/blas"
)

// shallow is the depth of the lowered image below which its transpose is used: a product whose inner loop runs over 25 weights, as in
// the first layer of LeNet-5, is three times as slow as one whose inner loop runs over 192 pixels.
const shallow = 80

func bindConvForward(b *binder, f device.ConvForward) []phase {
	b.workspace(f.Workspace)
	x, w, y := b.mem(f.X, f.In()), b.mem(f.Weight, f.FilterLen()), b.mem(f.Y, f.Out(f.K))
	e := b.epilogue(f.Epilogue, f.N*f.P*f.Q, f.K)
	l := lower(f.Conv)
	m := b.dev.minimal(&l)
	deep, deepM := b.dev.deepen(f.Conv)
	switch {
	case l.depthwise():
		return depthwiseForward(b, l, x, w, y, e)
	case m > 0:
		return winograd(b, m, gatherForward(f.Conv, x, w, y, e)...)
	case deepM > 0:
		return deepForward(b, deepM, f.Conv, deep, x, w, y, e)
	case l.thin():
		return thinForward(b, l, x, w, y, e)
	case kernel.Available:
		return gathers(b, gatherForward(f.Conv, x, w, y, e)...)
	case l.pointwise():
		return product{m: l.pixels, n: l.K, k: l.C, ta: blas.NoTrans, tb: blas.Trans, a: x, b: w, c: y, epilogue: e}.phases(b)
	case l.depth < shallow:
		return shallowForward(b, l, x, w, y, e)
	}
	return loweredForward(b, l, x, w, y, e)
}

// loweredForward multiplies blocks of the lowered image by the filters: Y = X·Wᵀ.
func loweredForward(b *binder, l lowering, x, w, y []float32, e epilogue) []phase {
	spans := l.spans(0, l.cg, depthBlock)
	tiles := every(l.pixels, rowBlock)
	buf := b.perWorker(rowBlock * min(depthBlock, l.depth))
	// Few pixels, as in the last layers at a small batch: the filters are shared out too, and the lowering is repeated.
	filters := split(l.kg, max(1, wanted/(tiles.count*l.Groups)), rowBlock)
	return []phase{{tiles.count * l.Groups * filters.count, func(task, worker int) {
		i0, i1 := tiles.at(task % tiles.count)
		task /= tiles.count
		g := task % l.Groups
		f0, f1 := filters.at(task / l.Groups)
		f0, f1 = g*l.kg+f0, g*l.kg+f1
		beta := float32(0)
		for _, s := range spans {
			l.gather(buf[worker], x, g, i0, i1, s)
			for k := f0; k < f1; k += colBlock {
				sgemm(blas.NoTrans, blas.Trans, i1-i0, min(colBlock, f1-k), s.n,
					buf[worker], s.n, w[k*l.depth+s.off:], l.depth, beta, y[i0*l.K+k:], l.K)
			}
			beta = 1
		}
		e.apply(y, i0, i1, f0, f1)
	}}}
}

// shallowForward computes Yᵀ = W·Xᵀ, so that the inner loop runs over pixels, and transposes the result into place.
func shallowForward(b *binder, l lowering, x, w, y []float32, e epilogue) []phase {
	tiles := every(l.pixels, colBlock)
	lowered := b.perWorker(l.depth * colBlock)
	result := b.perWorker(rowBlock * colBlock)
	return []phase{{tiles.count * l.Groups, func(task, worker int) {
		i0, i1 := tiles.at(task % tiles.count)
		g := task / tiles.count
		n := i1 - i0
		xt, yt := lowered[worker], result[worker]
		l.gatherColumns(xt, x, g, i0, i1)
		for k := g * l.kg; k < (g+1)*l.kg; k += rowBlock {
			m := min(rowBlock, (g+1)*l.kg-k)
			sgemm(blas.NoTrans, blas.NoTrans, m, n, l.depth, w[k*l.depth:], l.depth, xt, n, 0, yt, n)
			transpose(y[i0*l.K+k:], l.K, yt, n, m, n)
		}
		e.apply(y, i0, i1, g*l.kg, (g+1)*l.kg)
	}}}
}
