package cpu

import (
	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
)

// Sums over many rows run in float64: 50,000 pixels summed one after another in float32 lose three of its seven digits.

// columnSums is a reduction of a (rows, cols) matrix to one value for each column and each of several quantities.
type columnSums struct {
	cols, quantities int
	parts            chunks    // of the rows
	partial          []float64 // (parts, quantities, cols)
}

// newColumnSums takes scratch for the sums of quantities quantities over rows rows.
func newColumnSums(b *binder, rows, cols, quantities int) columnSums {
	parts := split(rows, wanted, max(1, grain/cols))
	return columnSums{cols, quantities, parts, b.doubles(parts.count * quantities * cols)}
}

// phase returns the phase in which add adds rows [lo, hi) to the sums, (quantities, cols), of one part.
func (s columnSums) phase(add func(sums []float64, lo, hi int)) phase {
	size := s.quantities * s.cols
	return phase{s.parts.count, func(part, _ int) {
		sums := s.partial[part*size:][:size]
		clear(sums)
		lo, hi := s.parts.at(part)
		add(sums, lo, hi)
	}}
}

// total returns the sum of quantity k for column c.
func (s columnSums) total(k, c int) float64 {
	sum := 0.0
	for i := range s.parts.count {
		sum += s.partial[(i*s.quantities+k)*s.cols+c]
	}
	return sum
}

func bindBiasGrad(b *binder, g device.BiasGrad) []phase {
	b.workspace(g.Workspace)
	dy, db := b.mem(g.DY, g.Rows*g.Cols), b.mem(g.DB, g.Cols)
	sums := newColumnSums(b, g.Rows, g.Cols, 1)
	return []phase{
		sums.phase(func(sum []float64, lo, hi int) {
			if kernel.Available {
				kernel.SumRows(sum, dy[lo*g.Cols:hi*g.Cols])
				return
			}
			for r := lo; r < hi; r++ {
				row := dy[r*g.Cols:][:len(sum)]
				for c, v := range row {
					sum[c] += float64(v)
				}
			}
		}),
		{1, func(_, _ int) {
			for c := range db {
				put(&db[c], sums.total(0, c), g.Accumulate)
			}
		}},
	}
}

// put stores v, or adds it.
func put(y *float32, v float64, add bool) {
	if add {
		v += float64(*y)
	}
	*y = float32(v)
}
