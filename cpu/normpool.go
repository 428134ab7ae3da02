package cpu

import (
	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
)

func bindBatchNormMaxPoolForward(b *binder, f device.BatchNormMaxPoolForward) []phase {
	b.workspace(f.Workspace)
	v, out := f.Window, f.Out(f.C)
	x, y, arg, largest := b.mem(f.X, f.In()), b.mem(f.Y, out), b.mem(f.Arg, out), b.mem(f.Largest, out)
	list, a := batchStatistics(b, device.BatchNormForward{Rows: v.N * v.H * v.W, C: v.C, Eps: f.Eps, Momentum: f.Momentum, X: f.X, Act: f.Act,
		Gamma: f.Gamma, Beta: f.Beta, RunMean: f.RunMean, RunVar: f.RunVar, Mean: f.Mean, InvStd: f.InvStd})
	m, normal := windowImage(v, x), b.perWorker(v.C)
	rows := split(v.N*v.P, 4*wanted, max(1, grain/(v.Q*v.C*v.R*v.S)))
	return append(list, phase{rows.count, func(task, worker int) {
		lo, hi := rows.at(task)
		if kernel.Available {
			m.AffineMax(a.scale, a.center, a.shift, int(a.act), y, arg, largest, lo, hi)
			return
		}
		a.largest(v, x, y, arg, largest, lo, hi, normal[worker])
	}})
}

// largest writes rows [lo, hi) of the largest elements of the windows over what rows makes of x to y, and to from that which they were made of.
// normal has room for a pixel.
func (a affine) largest(v device.Window, x, y, arg, from []float32, lo, hi int, normal []float32) {
	normalize := func(in []float32) []float32 {
		a.rows(normal, in, 0, 1)
		return normal
	}
	for i := lo * v.Q; i < hi*v.Q; i++ {
		n, p, q, at := i/v.Q/v.P, i/v.Q%v.P, i%v.Q, arg[i*v.C:][:v.C]
		maxWindow(v, x, n, p, q, 0, y[i*v.C:][:v.C], at, normalize)
		for c, pos := range at {
			h, w := p*v.StrideH-v.PadTop+int(pos)/v.S*v.DilH, q*v.StrideW-v.PadLeft+int(pos)%v.S*v.DilW
			from[i*v.C+c] = x[((n*v.H+h)*v.W+w)*v.C+c]
		}
	}
}

// bindBatchNormMaxPoolBackward takes the sums over the pooled elements, the only ones that a gradient reaches.
func bindBatchNormMaxPoolBackward(b *binder, g device.BatchNormMaxPoolBackward) []phase {
	b.workspace(g.Workspace)
	v, out := g.Window, g.Out(g.C)
	x, dx, arg := b.mem(g.X, g.In()), b.mem(g.DX, g.In()), b.mem(g.Arg, out)
	e := device.EpilogueGradient{Act: g.Act, Y: g.Y}
	list, a := parameterGradients(b, device.BatchNormBackward{EpilogueGradient: e, Rows: v.N * v.P * v.Q, C: v.C, X: g.Largest, DY: g.DY, Gamma: g.Gamma,
		Mean: g.Mean, InvStd: g.InvStd, DGamma: g.DGamma, DBeta: g.DBeta, Accumulate: g.Accumulate, AccumulateParams: g.AccumulateParams}, x, v.N*v.H*v.W)
	pixel := b.perWorker(2 * v.C)
	if dx == nil {
		return list
	}
	u := b.upstream(e, g.DY, out)
	m := windowImage(v, x)
	rows := split(v.N*v.H, 4*wanted, max(1, grain/(v.W*v.C)))
	return append(list, phase{rows.count, func(task, worker int) {
		lo, hi := rows.at(task)
		if kernel.Available {
			m.AffineMaxBackward(u.dy, u.y, int(u.act), arg, dx, a.scale, a.slope, a.mean, a.shift, lo, hi, a.add)
			return
		}
		a.gathered(v, dx, u, arg, lo, hi, pixel[worker])
	}})
}

// gathered computes rows [lo, hi) of the images of dx from the gradient of the largest elements of windows, u. buf has room for two pixels.
func (a affineGradient) gathered(v device.Window, dx []float32, u upstream, arg []float32, lo, hi int, buf []float32) {
	g, behind, x := buf[:v.C], buf[v.C:], a.x
	for i := lo * v.W; i < hi*v.W; i++ {
		n, h, w := i/v.W/v.H, i/v.W%v.H, i%v.W
		clear(g)
		for t := range v.R * v.S { // the last taps are those of the first windows
			t = v.R*v.S - 1 - t
			p, q := h+v.PadTop-t/v.S*v.DilH, w+v.PadLeft-t%v.S*v.DilW
			if p < 0 || q < 0 || p%v.StrideH != 0 || q%v.StrideW != 0 || p/v.StrideH >= v.P || q/v.StrideW >= v.Q {
				continue
			}
			o := ((n*v.P+p/v.StrideH)*v.Q + q/v.StrideW) * v.C
			d := u.dy[o : o+v.C]
			if u.act != device.Identity {
				slope(u.act, behind, d, u.y[o:o+v.C])
				d = behind
			}
			for c, at := range arg[o:][:v.C] {
				if at == float32(t) {
					g[c] += d[c]
				}
			}
		}
		a.x = part(x, i*v.C, (i+1)*v.C)
		a.rows(dx[i*v.C:][:v.C], upstream{dy: g}, 0, 1)
	}
}
