package cpu

import (
	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
)

// An outerTask is the part of an outer product that one worker computes in one call.
type outerTask struct {
	o    *kernel.Outer
	part kernel.Block
	c    []float32 // where the product begins
	add  bool
}

// An outerProduct is a product that sums over windows, with the place of its result: rows ldc apart from c on.
type outerProduct struct {
	*kernel.Outer
	c []float32
}

// outers returns the phases that compute products of one size into parts of result, size floats, whose rows are ldc floats long. If the result
// has work for few tasks, the sum is cut as well, at places that depend on the shape alone, and the partial results are added in order.
func outers(b *binder, list []outerProduct, result []float32, size, ldc int, add bool) []phase {
	_, nr := kernel.Tile()
	o := list[0]
	m, n, windows := int(o.M), int(o.N), o.B.Windows()
	rows := every(m, min(m, rowsPerTask))
	perCols := max(1, 2*wanted/(rows.count*len(list)))
	width := max((n+perCols-1)/perCols, 12*nr)
	cols := every(n, min(n, roundUp(split(n, (n+width-1)/width, 1).size, nr))) // of nearly the same width
	blocks := rows.count * cols.count * len(list)
	parts := every(windows, windows)
	if work := int64(m) * int64(n) * int64(windows) / worthTask; blocks < wanted/2 && work > 1 {
		parts = split(windows, min(int(work), wanted/blocks, max(1, partialLimit/size)), windowsPerPart)
	}
	var partial []float32
	if parts.count > 1 {
		partial = b.scratch(parts.count * size)
	}
	buf := b.perWorker(kernel.OuterScratch(rows.size))
	var tasks []outerTask
	for part := range parts.count {
		for _, o := range list {
			for i := range rows.count {
				for j := range cols.count {
					t := outerTask{o: o.Outer, c: o.c, add: add}
					if partial != nil {
						t.c, t.add = partial[part*size+len(result)-len(o.c):], false
					}
					t.part.M0, t.part.M1 = rows.at(i)
					t.part.J0, t.part.J1 = cols.at(j)
					t.part.K0, t.part.K1 = parts.at(part)
					tasks = append(tasks, t)
				}
			}
		}
	}
	phases := []phase{{len(tasks), func(task, worker int) {
		t := &tasks[task]
		t.o.Run(t.part, t.c, ldc, t.add, buf[worker])
	}}}
	if parts.count > 1 {
		phases = append(phases, elementwise(size, func(lo, hi int) {
			sumPartials(result, partial, size, lo, hi, parts.count, add)
		})...)
	}
	return phases
}

const (
	rowsPerTask    = 512     // of an outer product: so many, of one chunk of the sum, fit the second-level cache
	windowsPerPart = 256     // the least that is worth a partial result
	partialLimit   = 4 << 20 // floats of all partial results together
)

// filterGradient returns the phases of the gradient of a filter.
func filterGradient(b *binder, v device.Conv, x, dy, dw []float32, add bool) []phase {
	kg, depth := v.K/v.Groups, v.R*v.S*(v.C/v.Groups)
	var list []outerProduct
	for i := range v.Groups {
		o := &kernel.Outer{A: at(dy, i*kg), Lda: int64(v.K), M: int64(kg), B: image(v, x, i), N: int64(depth)}
		p := outerProduct{Outer: o}
		if dw != nil {
			p.c = dw[i*kg*depth:]
		}
		list = append(list, p)
	}
	return outers(b, list, dw, v.FilterLen(), depth, add)
}

// multiply returns the phases of a matrix product.
func multiply(b *binder, g device.Gemm) []phase {
	x, y, c := b.mem(g.A, g.M*g.K), b.mem(g.B, g.K*g.N), b.mem(g.C, g.M*g.N)
	e := b.epilogue(g.Epilogue, g.M, g.N)
	if !g.TransA {
		return gathers(b, rowProduct(g, x, y, c, e))
	}
	o := &kernel.Outer{A: ptr(x), Lda: int64(g.M), M: int64(g.M), B: kernel.Matrix(ptr(y), g.K, g.N, g.N), N: int64(g.N)}
	if g.TransB {
		o.Bt, o.Ldbt = ptr(y), int64(g.K)
	}
	phases := outers(b, []outerProduct{{o, c}}, c, g.M*g.N, g.N, g.Accumulate)
	if e.nothing() {
		return phases
	}
	return append(phases, overRows(g.M, g.N, func(lo, hi int) { e.apply(c, lo, hi, 0, g.N) })...)
}

// rowProduct is a product whose left factor is not transposed.
func rowProduct(g device.Gemm, x, y, c []float32, e epilogue) *kernel.Gather {
	p := &kernel.Gather{
		A:        kernel.Matrix(ptr(x), g.M, g.K, g.K),
		B:        kernel.Factor{W: ptr(y), Rows: 1, Cols: 1, Chan: int64(g.K), StepJ: int64(g.N), StepCol: 1, N: int64(g.N)},
		Epilogue: e.fused(0),
	}
	if g.TransB {
		p.B.StepJ, p.B.StepCol = 1, int64(g.K)
	}
	if g.Accumulate {
		p.Accumulate = 1
	}
	plain(p, c)
	return p
}
