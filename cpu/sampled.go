package cpu

import (
	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
)

// sampled binds the call for a group. What it takes from the workspace must not depend on the batch, which Workspace does not know.
func (b *binder) sampled() sampled {
	switch c := b.call.(type) {
	case device.ConvForward:
		return b.sampledForward(c)
	case device.ConvBackwardData:
		return b.sampledData(c)
	case device.ConvBackwardFilter:
		return b.sampledFilter(c)
	case device.BiasGrad:
		return b.sampledBias(c)
	case device.Gemm:
		return b.sampledGemm(c)
	case device.MaxPoolForward:
		m := windowImage(c.Window, b.mem(c.X, c.In()))
		y, arg := b.mem(c.Y, c.Out(c.C)), b.mem(c.Arg, c.Out(c.C))
		return overSamples(func(lo, hi int) { m.MaxForward(y, arg, lo*c.P, hi*c.P) })
	case device.MaxPoolBackward:
		m := windowImage(c.Window, nil)
		dy, arg, dx := b.mem(c.DY, c.Out(c.C)), b.mem(c.Arg, c.Out(c.C)), b.mem(c.DX, c.In())
		return overSamples(func(lo, hi int) {
			for n := lo; n < hi; n++ {
				m.MaxBackward(dy, arg, dx, n, c.Accumulate)
			}
		})
	case device.AvgPoolForward:
		a, x, y := windowAverages(c), b.mem(c.X, c.In()), b.mem(c.Y, c.Out(c.C))
		return overSamples(func(lo, hi int) {
			kernel.MeanForward(x, y, a.h, a.w, a.c, a.rows, a.cols, lo*len(a.rows), hi*len(a.rows))
		})
	case device.AvgPoolBackward:
		a := windowAverages(device.AvgPoolForward{Window: c.Window, PadBottom: c.PadBottom, PadRight: c.PadRight, ExcludePad: c.ExcludePad})
		dy, dx := b.mem(c.DY, c.Out(c.C)), b.mem(c.DX, c.In())
		return overSamples(func(lo, hi int) {
			for n := lo; n < hi; n++ {
				kernel.MeanBackward(dy, dx, a.h, a.w, a.c, a.rows, a.cols, n, c.Accumulate)
			}
		})
	case device.ActForward:
		x, y := b.mem(c.X, c.N), b.mem(c.Y, c.N)
		return b.overElements(c.N, func(lo, hi int) { kernel.Act(int(c.Act), y[lo:hi], x[lo:hi]) })
	case device.ActBackward:
		y, dy, dx := b.mem(c.Y, c.N), b.mem(c.DY, c.N), b.mem(c.DX, c.N)
		return b.overElements(c.N, func(lo, hi int) { kernel.ActBackward(int(c.Act), dx[lo:hi], dy[lo:hi], y[lo:hi], c.Accumulate) })
	case device.Add:
		p, q, y := b.mem(c.A, c.N), b.mem(c.B, c.N), b.mem(c.Y, c.N)
		return b.overElements(c.N, func(lo, hi int) {
			kernel.Add(y[lo:hi], p[lo:hi], q[lo:hi])
			activate(c.Act, y[lo:hi])
		})
	case device.Copy:
		src, dst := b.mem(c.Src, c.Cols), b.mem(c.Dst, c.Cols)
		if c.InPlace() {
			return sampled{}
		}
		if c.Accumulate {
			return b.overElements(c.Cols, func(lo, hi int) { accumulate(dst[lo:hi], src[lo:hi]) })
		}
		return b.overElements(c.Cols, func(lo, hi int) { copy(dst[lo:hi], src[lo:hi]) })
	case device.SoftmaxCrossEntropy:
		return b.sampledLoss(c)
	}
	b.fail("no part of a group")
	return sampled{}
}

func overSamples(f func(lo, hi int)) sampled {
	return sampled{run: func(_, lo, hi int, _ bool, _ int) { f(lo, hi) }}
}

// overElements gives f the elements of samples, of n in the batch.
func (b *binder) overElements(n int, f func(lo, hi int)) sampled {
	size := n / max(b.batch, 1)
	return overSamples(func(lo, hi int) { f(lo*size, hi*size) })
}

// packAll returns the phase that packs the right factors of products as a whole, and the scratch of their tasks.
func (b *binder) packAll(list []*kernel.Gather) (phase, [][]float32) {
	_, nr := kernel.Tile()
	packed := make([][]float32, len(list))
	scratch := 0
	for i, g := range list {
		packed[i] = b.scratch((int(g.B.N) + nr - 1) / nr * nr * g.A.Depth())
		g.Packed = ptr(packed[i])
		scratch = max(scratch, g.Scratch(int(g.B.N)))
	}
	return phase{len(list), func(i, _ int) {
		g := list[i]
		kernel.Pack(&g.B, 0, (int(g.B.N)+nr-1)/nr, packed[i])
	}}, b.perWorker(scratch)
}

// sampledGathers runs products whose rows are windows of samples.
func (b *binder) sampledGathers(list []*kernel.Gather) sampled {
	pack, buf := b.packAll(list)
	return sampled{before: []phase{pack}, run: func(_, lo, hi int, _ bool, worker int) {
		for _, g := range list {
			size := g.A.Windows() / b.batch
			g.Run(lo*size, hi*size, 0, int(g.B.N), buf[worker])
		}
	}}
}

func (b *binder) sampledForward(f device.ConvForward) sampled {
	b.workspace(f.Workspace)
	x, w, y := b.mem(f.X, f.In()), b.mem(f.Weight, f.FilterLen()), b.mem(f.Y, f.Out(f.K))
	e := b.epilogue(f.Epilogue, f.N*f.P*f.Q, f.K)
	if l := lower(f.Conv); l.thin() {
		m, k := windowImage(l.Window, x), e.fused(0)
		buf := b.perWorker(m.StemScratch(l.K)) // it may be part of a stem, which takes a little more
		return sampled{run: func(_, lo, hi int, _ bool, worker int) { m.ThinForward(w, l.K, y, &k, lo, hi, buf[worker]) }}
	}
	return b.sampledGathers(gatherForward(f.Conv, x, w, y, e))
}

func (b *binder) sampledData(g device.ConvBackwardData) sampled {
	b.workspace(g.Workspace)
	dy, w, dx := b.mem(g.DY, g.Out(g.K)), b.mem(g.Weight, g.FilterLen()), b.mem(g.DX, g.In())
	if l := lower(g.Conv); l.narrow() {
		pack, run := spreader(b, l, dy, w, dx, g.Accumulate)
		s := overSamples(run)
		s.before = []phase{pack}
		return s
	}
	list, untouched := gatherBackward(g.Conv, dy, w, dx, g.Accumulate)
	s := b.sampledGathers(list)
	products := s.run
	s.run = func(task, lo, hi int, first bool, worker int) {
		products(task, lo, hi, first, worker)
		for _, f := range untouched {
			for n := lo; n < hi; n++ {
				f(n)
			}
		}
	}
	return s
}

// taskSums are the gradient of a filter, which each task sums for its samples.
type taskSums struct {
	size    int
	partial []float32 // (tasks, size)
}

func (b *binder) taskSums(size int) taskSums { return taskSums{size, b.scratch(groupTasks * size)} }

// of returns the sums of a task.
func (s taskSums) of(task int) []float32 { return s.partial[task*s.size:][:s.size] }

// total returns the phase that adds up the sums of so many tasks, in their order.
func (s taskSums) total(dw []float32, tasks int) []phase {
	return elementwise(s.size, func(lo, hi int) { sumPartials(dw, s.partial, s.size, lo, hi, tasks, false) })
}

func (b *binder) sampledFilter(g device.ConvBackwardFilter) sampled {
	b.workspace(g.Workspace)
	x, dy, dw := b.mem(g.X, g.In()), b.mem(g.DY, g.Out(g.K)), b.mem(g.DWeight, g.FilterLen())
	l := lower(g.Conv)
	sums := b.taskSums(l.FilterLen())
	m := windowImage(l.Window, x)
	switch {
	case l.thin():
		buf := b.perWorker(m.StemScratch(l.K)) // see sampledForward
		return sampled{after: sums.total(dw, b.parts), run: func(task, lo, hi int, first bool, worker int) {
			m.ThinFilter(dy, l.K, sums.of(task), lo, hi, !first, buf[worker])
		}}
	case l.narrowFilters():
		buf := b.perWorker(m.NarrowScratch(l.K))
		return sampled{after: []phase{narrowSum(l, sums.partial, b.parts, dw, false)}, run: func(task, lo, hi int, first bool, worker int) {
			m.NarrowFilter(dy, l.K, sums.of(task), lo*l.P, hi*l.P, !first, buf[worker])
		}}
	}
	o := kernel.Outer{A: ptr(dy), Lda: int64(l.K), M: int64(l.K), B: image(g.Conv, x, 0), N: int64(l.depth)}
	buf := b.perWorker(kernel.OuterScratch(l.K))
	return sampled{after: sums.total(dw, b.parts), run: func(task, lo, hi int, first bool, worker int) {
		part := kernel.Block{M1: l.K, J1: l.depth, K0: lo * l.P * l.Q, K1: hi * l.P * l.Q}
		o.Run(part, sums.of(task), l.depth, !first, buf[worker])
	}}
}

// biasSums returns the gradient of a bias, which each task sums for its samples, and the phase that adds up these sums.
func (b *binder) biasSums(g device.BiasGrad) (of func(task int) []float64, total phase) {
	b.workspace(g.Workspace)
	db, partial := b.mem(g.DB, g.Cols), b.doubles(groupTasks*g.Cols)
	of = func(task int) []float64 { return partial[task*g.Cols:][:g.Cols] }
	return of, phase{1, func(_, _ int) {
		for c := range db {
			sum := 0.0
			for part := range b.parts {
				sum += partial[part*g.Cols+c]
			}
			db[c] = float32(sum)
		}
	}}
}

func (b *binder) sampledBias(g device.BiasGrad) sampled {
	dy := b.mem(g.DY, g.Rows*g.Cols)
	of, total := b.biasSums(g)
	size := g.Rows / max(b.batch, 1) * g.Cols // of a sample
	return sampled{
		run: func(task, lo, hi int, first bool, _ int) {
			sum := of(task)
			if first {
				clear(sum)
			}
			kernel.SumRows(sum, dy[lo*size:hi*size])
		},
		after: []phase{total},
	}
}

// sampledGemm shares out the rows of a product. A gradient of weights, whose sum is over the samples, is wide and shallow: partial sums for each
// task would be more work than the product, which therefore follows afterwards as a whole.
func (b *binder) sampledGemm(g device.Gemm) sampled {
	b.workspace(g.Workspace)
	if g.TransA {
		return sampled{after: multiply(b, g)}
	}
	x, y, c := b.mem(g.A, g.M*g.K), b.mem(g.B, g.K*g.N), b.mem(g.C, g.M*g.N)
	return b.sampledGathers([]*kernel.Gather{rowProduct(g, x, y, c, b.epilogue(g.Epilogue, g.M, g.N))})
}

// sampledLoss counts the rows beforehand, since every gradient is divided by their number.
func (b *binder) sampledLoss(s device.SoftmaxCrossEntropy) sampled {
	e := b.crossEntropy(s)
	return sampled{
		before: []phase{{1, func(_, _ int) { e.count(0, e.Rows) }}},
		run: func(_, lo, hi int, _ bool, _ int) {
			e.rank(lo, hi)
			e.rows(lo, hi)
		},
		after: []phase{{1, func(_, _ int) { e.total() }}},
	}
}
