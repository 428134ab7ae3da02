package cpu

// The gradient of filters by an image with few channels has a kernel of its own; see narrow.h of package kernel.

// filterLanes is a multiple of every instruction set's vector.
const filterLanes = 16

// narrowFilters reports whether a convolution is one for that kernel.
func (l *lowering) narrowFilters() bool { return l.narrow() && l.K%filterLanes == 0 }

// narrowFilter gives each task some rows of the output. The sums of a task are (R·S·C, K): the phase after it adds them up in the order of the
// tasks, and transposes.
func narrowFilter(b *binder, l lowering, x, dy, dw []float32, add bool) []phase {
	m, size := windowImage(l.Window, x), l.FilterLen()
	buf := b.perWorker(m.NarrowScratch(l.K))
	rows := split(l.N*l.P, wanted, max(1, worthTask/4/(l.Q*size)))
	partial := b.scratch(rows.count * size)
	return []phase{
		{rows.count, func(task, worker int) {
			lo, hi := rows.at(task)
			m.NarrowFilter(dy, l.K, partial[task*size:][:size], lo, hi, false, buf[worker])
		}},
		narrowSum(l, partial, rows.count, dw, add),
	}
}

// narrowSum returns the phase that adds up parts gradients, each (R·S·C, K), in their order, to dw (K, R, S, C).
func narrowSum(l lowering, partial []float32, parts int, dw []float32, add bool) phase {
	size := l.FilterLen()
	taps := split(l.depth, wanted, max(1, grain/4/(max(parts, 1)*l.K)))
	return phase{taps.count, func(task, _ int) {
		t0, t1 := taps.at(task)
		sum := partial[:size]
		sumPartials(sum, partial, size, t0*l.K, t1*l.K, parts, false)
		if !add {
			transpose(dw[t0:], l.depth, sum[t0*l.K:], l.K, t1-t0, l.K)
			return
		}
		for t := t0; t < t1; t++ {
			for k, v := range sum[t*l.K:][:l.K] {
				dw[k*l.depth+t] += v
			}
		}
	}}
}
