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
	_, nr := kernel.Tile()
	cols := l.S * l.C
	panels := (cols + nr - 1) / nr
	size := panels * l.K * nr // of a filter row's factor
	packed := b.scratch(l.R * size)
	factors := make([]kernel.Factor, l.R)
	for i := range factors {
		factors[i] = kernel.Factor{W: at(w, i*cols), Rows: 1, Cols: 1, Chan: int64(l.K), StepJ: int64(l.depth), StepCol: 1, N: int64(cols)}
	}
	m := windowImage(l.Window, nil)
	return append([]phase{{1, func(_, _ int) {
		for i := range factors {
			kernel.Pack(&factors[i], 0, panels, packed[i*size:])
		}
	}}}, overRows(l.N, l.P*l.Q*l.K*cols*l.R/16, func(lo, hi int) { m.Spread(packed, dy, l.K, dx, lo, hi, add) })...)
}
