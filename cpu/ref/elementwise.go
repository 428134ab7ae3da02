package ref

import (
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/philox"
)

func add(b *binder, a device.Add) func() {
	p, q, y := b.in(a.A, a.N, a.Type), b.in(a.B, a.N, a.Type), b.out(a.Y, a.N, a.Type)
	return func() {
		for i := range y {
			y[i] = act(a.Act, p[i]+q[i])
		}
	}
}

func copyBlock(b *binder, c device.Copy) func() {
	src := b.in(c.Src, (c.Rows-1)*c.SrcStride+c.Cols, c.Type)
	dst := b.out(c.Dst, (c.Rows-1)*c.DstStride+c.Cols, c.Type)
	return func() {
		for r := range c.Rows {
			for j := range c.Cols {
				store(&dst[r*c.DstStride+j], src[r*c.SrcStride+j], c.Accumulate)
			}
		}
	}
}

func fill(b *binder, f device.Fill) func() {
	y := b.out(f.Y, f.N, f.Type)
	return func() {
		for i := range y {
			y[i] = float64(f.Value)
		}
	}
}

func cast(b *binder, c device.Cast) func() {
	x, y := b.in(c.X, c.N, c.From), b.out(c.Y, c.N, c.To)
	return func() { copy(y, x) }
}

func dropout(b *binder, d device.Dropout) func() {
	x, y, hyper := b.in(d.X, d.N, d.Type), b.out(d.Y, d.N, d.Type), b.mem(d.Hyper, device.HyperWords)
	return func() {
		step := toWord(hyper[0])
		for i := range y {
			word := philox.Block(d.Key(), [4]uint32{uint32(i / 4), step, d.Layer, 0})[i%4]
			v := 0.0
			if word >= d.Threshold() {
				v = x[i] / (1 - float64(d.P))
			}
			store(&y[i], v, d.Accumulate)
		}
	}
}
