package cpu

import (
	"math"

	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/philox"
)

func bindAdd(b *binder, a device.Add) []phase {
	p, q, y := b.mem(a.A, a.N), b.mem(a.B, a.N), b.mem(a.Y, a.N)
	return elementwise(a.N, func(lo, hi int) {
		y, p, q := y[lo:hi], p[lo:hi], q[lo:hi]
		if kernel.Available {
			kernel.Add(y, p, q)
			activate(a.Act, y)
			return
		}
		for i := range y {
			y[i] = p[i] + q[i]
		}
		activate(a.Act, y)
	})
}

func bindCopy(b *binder, c device.Copy) []phase {
	src := b.mem(c.Src, (c.Rows-1)*c.SrcStride+c.Cols)
	dst := b.mem(c.Dst, (c.Rows-1)*c.DstStride+c.Cols)
	if c.InPlace() {
		return []phase{}
	}
	return overRows(c.Rows, c.Cols, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			s, d := src[r*c.SrcStride:][:c.Cols], dst[r*c.DstStride:][:c.Cols]
			if c.Accumulate {
				accumulate(d, s)
			} else {
				copy(d, s)
			}
		}
	})
}

func bindFill(b *binder, f device.Fill) []phase {
	y := b.mem(f.Y, f.N)
	return elementwise(f.N, func(lo, hi int) { fill(y[lo:hi], f.Value) })
}

func fill(y []float32, v float32) {
	for i := range y {
		y[i] = v
	}
}

func bindDropout(b *binder, d device.Dropout) []phase {
	x, y, hyper := b.mem(d.X, d.N), b.mem(d.Y, d.N), b.mem(d.Hyper, device.HyperWords)
	key, threshold, scale := d.Key(), d.Threshold(), 1/(1-d.P)
	blocks := (d.N + 3) / 4
	if kernel.Available {
		m := &kernel.Mask{Key: key, Layer: d.Layer, Threshold: threshold}
		return append([]phase{{1, func(_, _ int) { m.Step = math.Float32bits(hyper[0]) }}}, overRows(blocks, 64, func(lo, hi int) {
			kernel.Dropout(y, x, lo, hi, m, scale, d.Accumulate)
		})...)
	}
	return overRows(blocks, 64, func(lo, hi int) {
		ctr := [4]uint32{0, math.Float32bits(hyper[0]), d.Layer, 0}
		for i := lo; i < hi; i++ {
			ctr[0] = uint32(i)
			words := philox.Block(key, ctr)
			end := min(4*i+4, d.N)
			x, y := x[4*i:end], y[4*i:end]
			for j := range y {
				var v float32
				if words[j] >= threshold {
					v = x[j] * scale
				}
				if d.Accumulate {
					v += y[j]
				}
				y[j] = v
			}
		}
	})
}
