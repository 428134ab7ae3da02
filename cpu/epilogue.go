package cpu

import "github.com/cnnctl/cnnctl/device"

// epilogue is device.Epilogue with its operands bound.
type epilogue struct {
	bias     []float32 // (cols) or nil
	residual []float32 // (rows, cols) or nil
	act      device.Act
	cols     int
}

func (b *binder) epilogue(e device.Epilogue, rows, cols int) epilogue {
	return epilogue{b.mem(e.Bias, cols), b.mem(e.Residual, rows*cols), e.Act, cols}
}

// nothing reports whether there is nothing to do.
func (e epilogue) nothing() bool {
	return e.bias == nil && e.residual == nil && e.act == device.Identity
}

// apply finishes the block of rows [r0, r1) and columns [c0, c1) of y, whose rows are e.cols elements long.
func (e epilogue) apply(y []float32, r0, r1, c0, c1 int) {
	if e.nothing() {
		return
	}
	if e.bias != nil {
		bias := e.bias[c0:c1]
		for r := r0; r < r1; r++ {
			accumulate(y[r*e.cols+c0:r*e.cols+c1], bias)
		}
	}
	if c0 == 0 && c1 == e.cols { // the rows of the block lie one after another
		c1 *= r1 - r0
		r1 = r0 + 1
	}
	for r := r0; r < r1; r++ {
		o := r * e.cols
		if e.residual != nil {
			accumulate(y[o+c0:o+c1], e.residual[o+c0:o+c1])
		}
		activate(e.act, y[o+c0:o+c1])
	}
}
