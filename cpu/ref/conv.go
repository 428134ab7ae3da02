package ref

import "github.com/cnnctl/cnnctl/device"

// A tap is one multiply-add of a convolution: the indices of its input, filter and output element.
type tap struct{ x, w, y int }

// taps calls f for every multiply-add of a convolution, those of one output element in a row. The three passes of a
// convolution multiply the same triples; they differ in which two are read and into which the product is added.
func taps(v device.Conv, f func(tap)) {
	cg, kg := v.C/v.Groups, v.K/v.Groups
	for n := range v.N {
		for p := range v.P {
			for q := range v.Q {
				for k := range v.K {
					y := ((n*v.P+p)*v.Q+q)*v.K + k
					for r := range v.R {
						for s := range v.S {
							h := p*v.StrideH - v.PadTop + r*v.DilH
							w := q*v.StrideW - v.PadLeft + s*v.DilW
							if h < 0 || h >= v.H || w < 0 || w >= v.W {
								continue
							}
							for c := range cg {
								f(tap{
									x: ((n*v.H+h)*v.W+w)*v.C + k/kg*cg + c,
									w: ((k*v.R+r)*v.S+s)*cg + c,
									y: y,
								})
							}
						}
					}
				}
			}
		}
	}
}

func convForward(b *binder, f device.ConvForward) func() {
	t := f.Precision.Type()
	x, w, y := b.in(f.X, f.In(), t), b.in(f.Weight, f.FilterLen(), t), b.out(f.Y, f.Out(f.K), t)
	e := b.epilogue(f.Epilogue, f.N*f.P*f.Q, f.K, t)
	return func() {
		clear(y)
		taps(f.Conv, func(t tap) { y[t.y] += x[t.x] * w[t.w] })
		for i := range y {
			y[i] = e.apply(y[i], i, i%f.K)
		}
	}
}

func convBackwardData(b *binder, g device.ConvBackwardData) func() {
	t := g.Precision.Type()
	dy, w, dx := b.in(g.DY, g.Out(g.K), t), b.in(g.Weight, g.FilterLen(), t), b.out(g.DX, g.In(), t)
	return func() {
		if !g.Accumulate {
			clear(dx)
		}
		taps(g.Conv, func(t tap) { dx[t.x] += dy[t.y] * w[t.w] })
	}
}

func convBackwardFilter(b *binder, g device.ConvBackwardFilter) func() {
	t := g.Precision.Type()
	x, dy, dw := b.in(g.X, g.In(), t), b.in(g.DY, g.Out(g.K), t), b.mem(g.DWeight, g.FilterLen())
	return func() {
		if !g.Accumulate {
			clear(dw)
		}
		taps(g.Conv, func(t tap) { dw[t.w] += dy[t.y] * x[t.x] })
	}
}
