package cpu

import (
	"math"

	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
)

// affine is what batch normalisation comes to for one pixel once its statistics are known: y = scale·(x-center) + shift for each channel.
// Without the center a mean far from zero would cancel in float32; the subtraction of two close values is exact.
type affine struct{ center, scale, shift []float32 }

// set gives channel c the function y = scale·(x-mean) + beta.
func (a affine) set(c int, scale, mean, beta float64) {
	center := float32(mean)
	a.center[c], a.scale[c] = center, float32(scale)
	a.shift[c] = float32(beta - scale*(mean-float64(center)))
}

// rows computes rows [lo, hi) of y from x, both (rows, len(scale)).
func (a affine) rows(y, x []float32, lo, hi int) {
	c := len(a.scale)
	if kernel.Available {
		kernel.Affine(y[lo*c:hi*c], x[lo*c:hi*c], a.scale, a.center, a.shift)
		return
	}
	scale, shift, center := a.scale, a.shift[:c], a.center[:c]
	for r := lo; r < hi; r++ {
		in, out := x[r*c:][:c], y[r*c:][:c]
		for i, s := range scale {
			out[i] = s*(in[i]-center[i]) + shift[i]
		}
	}
}

// bindBatchNormForward sums x and x² in one pass. In float64 nothing cancels: the squares of float32 values have 48 bits, and
// their sum keeps five digits even where the mean is a thousand times the deviation.
func bindBatchNormForward(b *binder, f device.BatchNormForward) []phase {
	b.workspace(f.Workspace)
	x, y := b.mem(f.X, f.Rows*f.C), b.mem(f.Y, f.Rows*f.C)
	gamma, beta := b.mem(f.Gamma, f.C), b.mem(f.Beta, f.C)
	runMean, runVar := b.mem(f.RunMean, f.C), b.mem(f.RunVar, f.C)
	mean, invStd := b.mem(f.Mean, f.C), b.mem(f.InvStd, f.C)
	sums := newColumnSums(b, f.Rows, f.C, 2)
	a := affine{b.scratch(f.C), b.scratch(f.C), b.scratch(f.C)}
	rows, momentum := float64(f.Rows), float64(f.Momentum)
	list := []phase{
		sums.phase(func(s []float64, lo, hi int) {
			sum, squares := s[:f.C], s[f.C:][:f.C]
			if kernel.Available {
				kernel.Moments(sum, squares, x[lo*f.C:hi*f.C])
				return
			}
			for r := lo; r < hi; r++ {
				for c, v := range x[r*f.C:][:f.C] {
					u := float64(v)
					sum[c] += u
					squares[c] += u * u
				}
			}
		}),
		{1, func(_, _ int) {
			for c := range mean {
				mu := sums.total(0, c) / rows
				variance := sums.total(1, c)/rows - mu*mu
				if variance < 0 { // by rounding, if all values are equal; NaN stays
					variance = 0
				}
				inv := 1 / math.Sqrt(variance+float64(f.Eps))
				mean[c], invStd[c] = float32(mu), float32(inv)
				a.set(c, float64(gamma[c])*inv, mu, float64(beta[c]))
				runMean[c] = float32((1-momentum)*float64(runMean[c]) + momentum*mu)
				runVar[c] = float32((1-momentum)*float64(runVar[c]) + momentum*variance*rows/(rows-1))
			}
		}},
	}
	return append(list, overRows(f.Rows, f.C, func(lo, hi int) { a.rows(y, x, lo, hi) })...)
}

func bindBatchNormInference(b *binder, f device.BatchNormInference) []phase {
	x, y := b.mem(f.X, f.Rows*f.C), b.mem(f.Y, f.Rows*f.C)
	gamma, beta := b.mem(f.Gamma, f.C), b.mem(f.Beta, f.C)
	runMean, runVar := b.mem(f.RunMean, f.C), b.mem(f.RunVar, f.C)
	// This call has no workspace: the three vectors belong to the step.
	a := affine{make([]float32, f.C), make([]float32, f.C), make([]float32, f.C)}
	list := []phase{{1, func(_, _ int) {
		for c := range a.scale {
			a.set(c, float64(gamma[c])/math.Sqrt(float64(runVar[c])+float64(f.Eps)), float64(runMean[c]), float64(beta[c]))
		}
	}}}
	return append(list, overRows(f.Rows, f.C, func(lo, hi int) { a.rows(y, x, lo, hi) })...)
}

// gradientSums returns the phase that adds up dy and dy·(x-mean) for each channel. The factor 1/std is left to the end.
func gradientSums(sums columnSums, x, dy, mean []float32) phase {
	return sums.phase(func(s []float64, lo, hi int) {
		c := sums.cols
		sum, product, mu := s[:c], s[c:][:c], mean[:c]
		if kernel.Available {
			kernel.GradientSums(sum, product, x[lo*c:hi*c], dy[lo*c:hi*c], mu)
			return
		}
		for r := lo; r < hi; r++ {
			in, d := x[r*c:][:c], dy[r*c:][:c]
			for i, v := range d {
				g := float64(v)
				sum[i] += g
				product[i] += g * (float64(in[i]) - float64(mu[i]))
			}
		}
	})
}

func bindBatchNormBackward(b *binder, g device.BatchNormBackward) []phase {
	b.workspace(g.Workspace)
	x, dy, dx := b.mem(g.X, g.Rows*g.C), b.mem(g.DY, g.Rows*g.C), b.mem(g.DX, g.Rows*g.C)
	gamma, mean, invStd := b.mem(g.Gamma, g.C), b.mem(g.Mean, g.C), b.mem(g.InvStd, g.C)
	dGamma, dBeta := b.mem(g.DGamma, g.C), b.mem(g.DBeta, g.C)
	sums := newColumnSums(b, g.Rows, g.C, 2)
	// dx = scale·dy + slope·(x-mean) + shift
	scale, slope, shift := b.scratch(g.C), b.scratch(g.C), b.scratch(g.C)
	list := []phase{gradientSums(sums, x, dy, mean), {1, func(_, _ int) {
		rows := float64(g.Rows)
		for c := range dGamma {
			inv := float64(invStd[c])
			sum, product := sums.total(0, c), sums.total(1, c)*inv
			put(&dGamma[c], product, g.AccumulateParams)
			put(&dBeta[c], sum, g.AccumulateParams)
			s := float64(gamma[c]) * inv
			scale[c], slope[c], shift[c] = float32(s), float32(-s*inv*product/rows), float32(-s*sum/rows)
		}
	}}}
	if dx == nil {
		return list
	}
	return append(list, overRows(g.Rows, g.C, func(lo, hi int) {
		scale, slope, shift, mean := scale[:g.C], slope[:g.C], shift[:g.C], mean[:g.C]
		if kernel.Available {
			kernel.AffineBackward(dx[lo*g.C:hi*g.C], dy[lo*g.C:], x[lo*g.C:], scale, slope, mean, shift, g.Accumulate)
			return
		}
		for r := lo; r < hi; r++ {
			in, d, out := x[r*g.C:][:g.C], dy[r*g.C:][:g.C], dx[r*g.C:][:g.C]
			for i := range out {
				v := scale[i]*d[i] + slope[i]*(in[i]-mean[i]) + shift[i]
				if g.Accumulate {
					v += out[i]
				}
				out[i] = v
			}
		}
	})...)
}

func bindBatchNormFrozenBackward(b *binder, g device.BatchNormFrozenBackward) []phase {
	b.workspace(g.Workspace)
	dy, dx := b.mem(g.DY, g.Rows*g.C), b.mem(g.DX, g.Rows*g.C)
	gamma, runMean, runVar := b.mem(g.Gamma, g.C), b.mem(g.RunMean, g.C), b.mem(g.RunVar, g.C)
	dGamma, dBeta := b.mem(g.DGamma, g.C), b.mem(g.DBeta, g.C)
	scale, sums := b.scratch(g.C), newColumnSums(b, g.Rows, g.C, 2)
	invStd := func(c int) float64 { return 1 / math.Sqrt(float64(runVar[c])+float64(g.Eps)) }
	var list []phase
	if dGamma != nil {
		x := b.mem(g.X, g.Rows*g.C)
		list = append(list, gradientSums(sums, x, dy, runMean), phase{1, func(_, _ int) {
			for c := range dGamma {
				put(&dGamma[c], sums.total(1, c)*invStd(c), g.AccumulateParams)
				put(&dBeta[c], sums.total(0, c), g.AccumulateParams)
			}
		}})
	}
	if dx == nil {
		return list
	}
	list = append(list, phase{1, func(_, _ int) {
		for c := range scale {
			scale[c] = float32(float64(gamma[c]) * invStd(c))
		}
	}})
	return append(list, overRows(g.Rows, g.C, func(lo, hi int) {
		if kernel.Available {
			kernel.AffineBackward(dx[lo*g.C:hi*g.C], dy[lo*g.C:], nil, scale, nil, nil, nil, g.Accumulate)
			return
		}
		for r := lo; r < hi; r++ {
			d, out := dy[r*g.C:][:g.C], dx[r*g.C:][:g.C]
			for i, s := range scale {
				v := s * d[i]
				if g.Accumulate {
					v += out[i]
				}
				out[i] = v
			}
		}
	})...)
}
