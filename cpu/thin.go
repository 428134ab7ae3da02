package cpu

import "github.com/cnnctl/cnnctl/cpu/kernel"

// A convolution of images of one channel with few filters has a kernel of its own; see thin.h of package kernel.

// fewFilters is the number of filters up to which that kernel is the faster one: beyond it the register tile's vectors are full.
const fewFilters = 12

// thin reports whether the convolution is such a one.
func (l *lowering) thin() bool {
	return kernel.Available && l.C == 1 && l.K <= fewFilters && l.StrideW == 1
}

func thinForward(b *binder, l lowering, x, w, y []float32, e epilogue) []phase {
	m, k := windowImage(l.Window, x), e.fused(0)
	buf := b.perWorker(m.ThinScratch(l.K))
	images := split(l.N, wanted, max(1, worthTask/8/(l.P*l.Q*l.FilterLen())))
	return []phase{{images.count, func(task, worker int) {
		lo, hi := images.at(task)
		m.ThinForward(w, l.K, y, &k, lo, hi, buf[worker])
	}}}
}

func thinFilter(b *binder, l lowering, x, dy, dw []float32, add bool) []phase {
	m, size := windowImage(l.Window, x), l.FilterLen()
	buf := b.perWorker(m.ThinScratch(l.K))
	images := split(l.N, wanted, max(1, worthTask/8/(l.P*l.Q*size)))
	partial := b.scratch(images.count * size)
	return append([]phase{{images.count, func(task, worker int) {
		lo, hi := images.at(task)
		m.ThinFilter(dy, l.K, partial[task*size:][:size], lo, hi, false, buf[worker])
	}}}, elementwise(size, func(lo, hi int) { sumPartials(dw, partial, size, lo, hi, images.count, add) })...)
}
