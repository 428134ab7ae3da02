package ref

import (
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/philox"
)

func add(b *binder, a device.Add) func() {
	p, q, y := b.mem(a.A, a.N), b.mem(a.B, a.N), b.mem(a.Y, a.N)
	return func() {
		for i := range y {
			y[i] = act(a.Act, p[i]+q[i])
		}
	}
}

func copyBlock(b *binder, c device.Copy) func() {
	src := b.mem(c.Src, (c.Rows-1)*c.SrcStride+c.Cols)
	dst := b.mem(c.Dst, (c.Rows-1)*c.DstStride+c.Cols)
	return func() {
		for r := range c.Rows {
			for j := range c.Cols {
				store(&dst[r*c.DstStride+j], src[r*c.SrcStride+j], c.Accumulate)
			}
		}
	}
}

func fill(b *binder, f device.Fill) func() {
	y := b.mem(f.Y, f.N)
	return func() {
		for i := range y {
			y[i] = float64(f.Value)
		}
	}
}

func dropout(b *binder, d device.Dropout) func() {
	x, y, hyper := b.mem(d.X, d.N), b.mem(d.Y, d.N), b.mem(d.Hyper, device.HyperWords)
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
