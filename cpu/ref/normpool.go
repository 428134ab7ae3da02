package ref

import "github.com/cnnctl/cnnctl/device"

// batchNormMaxPoolForward keeps the normalised images to itself.
func batchNormMaxPoolForward(b *binder, f device.BatchNormMaxPoolForward) func() {
	x, y, largest := b.in(f.X, f.In(), f.Type), b.out(f.Y, f.Out(f.C), f.Type), b.out(f.Largest, f.Out(f.C), f.Type)
	arg := b.mem(f.Arg, f.Out(f.C))
	gamma, beta := b.mem(f.Gamma, f.C), b.mem(f.Beta, f.C)
	s := b.batchStatistics(f.RunMean, f.RunVar, f.Mean, f.InvStd, f.C, f.Eps, f.Momentum)
	normal := make([]float64, f.In())
	return func() {
		s.compute(x)
		for i, v := range x {
			c := i % f.C
			normal[i] = act(f.Act, gamma[c]*(v-s.mean[c])*s.invStd[c]+beta[c])
		}
		findLargest(f.Window, normal, y, arg)
		windows(f.Window, func(i, n, p, q, c int) {
			pixels(f.Window, n, p, q, c, func(j, pos int) {
				if float64(pos) == arg[i] {
					largest[i] = x[j]
				}
			})
		})
	}
}

func batchNormMaxPoolBackward(b *binder, g device.BatchNormMaxPoolBackward) func() {
	x, dx := b.in(g.X, g.In(), g.Type), b.out(g.DX, g.In(), g.Type)
	arg, largest := b.mem(g.Arg, g.Out(g.C)), b.in(g.Largest, g.Out(g.C), g.Type)
	e := b.epilogueGradient(device.EpilogueGradient{Act: g.Act, Y: g.Y}, g.DY, g.Out(g.C), g.Type)
	gamma, mean, invStd := b.mem(g.Gamma, g.C), b.mem(g.Mean, g.C), b.mem(g.InvStd, g.C)
	dGamma, dBeta := b.mem(g.DGamma, g.C), b.mem(g.DBeta, g.C)
	normal := make([]float64, g.In()) // the gradient by the normalised images
	return func() {
		pooled := e.apply()
		clear(normal)
		passToLargest(g.Window, pooled, arg, normal)
		for c := range g.C {
			sum, product := 0.0, 0.0
			for i := c; i < len(pooled); i += g.C {
				sum += pooled[i]
				product += pooled[i] * (largest[i] - mean[c]) * invStd[c]
			}
			store(&dGamma[c], product, g.AccumulateParams)
			store(&dBeta[c], sum, g.AccumulateParams)
			if dx == nil {
				continue
			}
			n := float64(g.N * g.H * g.W)
			for i := c; i < len(x); i += g.C {
				hat := (x[i] - mean[c]) * invStd[c]
				store(&dx[i], gamma[c]*invStd[c]*(normal[i]-sum/n-hat*product/n), g.Accumulate)
			}
		}
	}
}
