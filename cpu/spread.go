package cpu

import "github.com/cnnctl/cnnctl/cpu/kernel"

// The gradient by an image with few channels has a kernel of its own; see spread.h of package kernel.

// fewChannels is the number of channels up to which it is the faster one.
const fewChannels = 8

// narrow reports whether the image is such a one.
func (l *lowering) narrow() bool {
	return kernel.Available && l.C <= fewChannels && l.Groups == 1 && l.DilW == 1
}

func spread(b *binder, l lowering, dy, w, dx []float32, add bool) []phase {
	pack, run := spreader(b, l, dy, w, dx, add)
	return append([]phase{pack}, overRows(l.N, l.P*l.Q*l.depth*l.K/16, run)...)
}

// spreader returns the phase that packs the filters, and the function that computes images [lo, hi) then.
func spreader(b *binder, l lowering, dy, w, dx []float32, add bool) (pack phase, run func(lo, hi int)) {
	_, nr := kernel.Tile()
	cols := l.S * l.C
	panels := (cols + nr - 1) / nr
	// Rows of the output that reach one row of the image are StrideH apart, so filter rows that reach it are alike modulo the stride.
	var order []int64
	for class := range l.StrideH {
		for r := range l.R {
			if r*l.DilH%l.StrideH == class {
				order = append(order, int64(r))
			}
		}
	}
	packed := b.scratch(panels * l.R * l.K * nr)
	m := windowImage(l.Window, nil)
	factors := make([]kernel.Factor, l.R)
	for i, r := range order {
		factors[i] = kernel.Factor{W: at(w, int(r)*cols), Rows: 1, Cols: 1, Chan: int64(l.K), StepJ: int64(l.depth), StepCol: 1, N: int64(cols)}
	}
	size := l.K * nr // of a panel
	pack = phase{1, func(_, _ int) {
		for i := range factors {
			for j := range panels { // Pack leaves room for the panels before this one
				kernel.Pack(&factors[i], j, j+1, packed[(j*l.R+i-j)*size:])
			}
		}
	}}
	return pack, func(lo, hi int) { m.Spread(packed, order, dy, l.K, dx, lo, hi, add) }
}
