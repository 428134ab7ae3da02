package cpu

import (
	"math"

	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
)

// affine is what batch normalisation comes to for one pixel once its statistics are known: y = act(scale·(x-center) + shift + residual) for each channel.
// Without the center a mean far from zero would cancel in float32; the subtraction of two close values is exact.
type affine struct {
	center, scale, shift []float32
	residual             []float32 // (rows, len(scale)) or nil
	act                  device.Act
}

// set gives channel c the function y = scale·(x-mean) + beta.
func (a affine) set(c int, scale, mean, beta float64) {
	center := float32(mean)
	a.center[c], a.scale[c] = center, float32(scale)
	a.shift[c] = float32(beta - scale*(mean-float64(center)))
}

// rows computes rows [lo, hi) of y from x, both (rows, len(scale)).
func (a affine) rows(y, x []float32, lo, hi int) {
	c := len(a.scale)
	lo, hi = lo*c, hi*c
	if kernel.Available {
		kernel.Affine(y[lo:hi], x[lo:hi], a.scale, a.center, a.shift, part(a.residual, lo, hi), int(a.act))
		return
	}
	scale, shift, center := a.scale, a.shift[:c], a.center[:c]
	for ; lo < hi; lo += c {
		in, out := x[lo:][:c], y[lo:][:c]
		if a.residual == nil {
			for i, s := range scale {
				out[i] = s*(in[i]-center[i]) + shift[i]
			}
		} else {
			residual := a.residual[lo:][:c]
			for i, s := range scale {
				out[i] = s*(in[i]-center[i]) + shift[i] + residual[i]
			}
		}
		activate(a.act, out)
	}
}

// part returns elements [lo, hi) of an operand that may be absent.
func part(s []float32, lo, hi int) []float32 {
	if s == nil {
		return nil
	}
	return s[lo:hi]
}

// batchStatistics returns the phases that compute the statistics of f's X, the running ones included, and the function that normalises by them.
//
// It sums x and x² in one pass. In float64 nothing cancels: the squares of float32 values have 48 bits, and their sum keeps five digits even where the mean is
// a thousand times the deviation.
func batchStatistics(b *binder, f device.BatchNormForward) ([]phase, affine) {
	x := b.mem(f.X, f.Rows*f.C)
	gamma, beta := b.mem(f.Gamma, f.C), b.mem(f.Beta, f.C)
	runMean, runVar := b.mem(f.RunMean, f.C), b.mem(f.RunVar, f.C)
	mean, invStd := b.mem(f.Mean, f.C), b.mem(f.InvStd, f.C)
	sums := newColumnSums(b, f.Rows, f.C, 2)
	a := affine{b.scratch(f.C), b.scratch(f.C), b.scratch(f.C), b.mem(f.Residual, f.Rows*f.C), f.Act}
	rows, momentum := float64(f.Rows), float64(f.Momentum)
	return []phase{
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
	}, a
}

func bindBatchNormForward(b *binder, f device.BatchNormForward) []phase {
	b.workspace(f.Workspace)
	x, y := b.mem(f.X, f.Rows*f.C), b.mem(f.Y, f.Rows*f.C)
	list, a := batchStatistics(b, f)
	return append(list, overRows(f.Rows, f.C, func(lo, hi int) { a.rows(y, x, lo, hi) })...)
}

func bindBatchNormInference(b *binder, f device.BatchNormInference) []phase {
	x, y := b.mem(f.X, f.Rows*f.C), b.mem(f.Y, f.Rows*f.C)
	gamma, beta := b.mem(f.Gamma, f.C), b.mem(f.Beta, f.C)
	runMean, runVar := b.mem(f.RunMean, f.C), b.mem(f.RunVar, f.C)
	// This call has no workspace: the three vectors belong to the step.
	a := affine{make([]float32, f.C), make([]float32, f.C), make([]float32, f.C), b.mem(f.Residual, f.Rows*f.C), f.Act}
	list := []phase{{1, func(_, _ int) {
		for c := range a.scale {
			a.set(c, float64(gamma[c])/math.Sqrt(float64(runVar[c])+float64(f.Eps)), float64(runMean[c]), float64(beta[c]))
		}
	}}}
	return append(list, overRows(f.Rows, f.C, func(lo, hi int) { a.rows(y, x, lo, hi) })...)
}

// upstream is device.EpilogueGradient with its operands bound.
type upstream struct {
	act             device.Act
	dy, y, residual []float32
	add             bool
}

func (b *binder) upstream(e device.EpilogueGradient, dy device.Mem, n int) upstream {
	u := upstream{act: e.Act, dy: b.mem(dy, n), residual: b.mem(e.Residual(dy), n), add: e.AccumulateResidual}
	if e.Act != device.Identity {
		u.y = b.mem(e.Y, n)
	}
	return u
}

// computeResidual computes elements [lo, hi) of the residual's gradient.
func (u upstream) computeResidual(lo, hi int) {
	if u.act != device.Identity && kernel.Available {
		kernel.ActBackward(int(u.act), u.residual[lo:hi], u.dy[lo:hi], u.y[lo:hi], u.add)
		return
	}
	var buf [block]float32
	for ; lo < hi; lo += block {
		end := min(lo+block, hi)
		if g := u.gradient(&buf, lo, end); u.add {
			accumulate(u.residual[lo:end], g)
		} else {
			copy(u.residual[lo:end], g)
		}
	}
}

// gradient returns elements [lo, hi) of the gradient behind the activation, which may lie in buf.
func (u upstream) gradient(buf *[block]float32, lo, hi int) []float32 {
	if u.act == device.Identity {
		return u.dy[lo:hi]
	}
	g := buf[:hi-lo]
	slope(u.act, g, u.dy[lo:hi], u.y[lo:hi])
	return g
}

// sums returns the phase that adds up g and g·(x-mean) for each channel, where g is the gradient behind the activation, and computes the
// residual's. The factor 1/std is left to the end.
func (u upstream) sums(sums columnSums, x, mean []float32) phase {
	c := sums.cols
	return sums.phase(func(s []float64, lo, hi int) {
		sum, product, mu := s[:c], s[c:][:c], mean[:c]
		lo, hi = lo*c, hi*c
		if kernel.Available {
			kernel.GradientSums(sum, product, x[lo:hi], u.dy[lo:hi], part(u.y, lo, hi), int(u.act), mu, part(u.residual, lo, hi), u.add)
			return
		}
		var buf [block]float32
		for ; lo < hi; lo += c {
			for i := 0; i < c; i += block {
				for k, v := range u.gradient(&buf, lo+i, lo+min(i+block, c)) {
					g := float64(v)
					sum[i+k] += g
					product[i+k] += g * (float64(x[lo+i+k]) - float64(mu[i+k]))
				}
			}
			if u.residual != nil { // after its row was read: it may be dy
				u.computeResidual(lo, lo+c)
			}
		}
	})
}

// affineGradient is the gradient of affine: dx (+)= scale·g + slope·(x-mean) + shift, or its first term alone if there is no x.
type affineGradient struct {
	x, scale, slope, mean, shift []float32
	add                          bool
}

// rows computes rows [lo, hi) of dx, which is (rows, len(scale)).
func (a affineGradient) rows(dx []float32, u upstream, lo, hi int) {
	c := len(a.scale)
	lo, hi = lo*c, hi*c
	if kernel.Available {
		kernel.AffineBackward(dx[lo:hi], u.dy[lo:hi], part(u.y, lo, hi), int(u.act), part(a.x, lo, hi), a.scale, a.slope, a.mean, a.shift, a.add)
		return
	}
	var buf [block]float32
	for ; lo < hi; lo += c {
		for i := 0; i < c; i += block {
			for k, g := range u.gradient(&buf, lo+i, lo+min(i+block, c)) {
				v := a.scale[i+k] * g
				if a.x != nil {
					v += a.slope[i+k]*(a.x[lo+i+k]-a.mean[i+k]) + a.shift[i+k]
				}
				if a.add {
					v += dx[lo+i+k]
				}
				dx[lo+i+k] = v
			}
		}
	}
}

// parameterGradients returns the phases that compute DGamma and DBeta from the rows of g, and the function of which DX consists, for x with n elements in a
// channel.
func parameterGradients(b *binder, g device.BatchNormBackward, x []float32, n int) ([]phase, affineGradient) {
	gamma, mean, invStd := b.mem(g.Gamma, g.C), b.mem(g.Mean, g.C), b.mem(g.InvStd, g.C)
	dGamma, dBeta := b.mem(g.DGamma, g.C), b.mem(g.DBeta, g.C)
	sums := newColumnSums(b, g.Rows, g.C, 2)
	a := affineGradient{x, b.scratch(g.C), b.scratch(g.C), mean, b.scratch(g.C), g.Accumulate}
	u := b.upstream(g.EpilogueGradient, g.DY, g.Rows*g.C)
	return []phase{u.sums(sums, b.mem(g.X, g.Rows*g.C), mean), {1, func(_, _ int) {
		for c := range dGamma {
			inv := float64(invStd[c])
			sum, product := sums.total(0, c), sums.total(1, c)*inv
			put(&dGamma[c], product, g.AccumulateParams)
			put(&dBeta[c], sum, g.AccumulateParams)
			s := float64(gamma[c]) * inv
			a.scale[c], a.slope[c], a.shift[c] = float32(s), float32(-s*inv*product/float64(n)), float32(-s*sum/float64(n))
		}
	}}}, a
}

func bindBatchNormBackward(b *binder, g device.BatchNormBackward) []phase {
	b.workspace(g.Workspace)
	n := g.Rows * g.C
	dx := b.mem(g.DX, n)
	list, a := parameterGradients(b, g, b.mem(g.X, n), g.Rows)
	if dx == nil {
		return list
	}
	dy, rest := g.Rest(g.DY)
	u := b.upstream(rest, dy, n)
	return append(list, overRows(g.Rows, g.C, func(lo, hi int) { a.rows(dx, u, lo, hi) })...)
}

func bindBatchNormFrozenBackward(b *binder, g device.BatchNormFrozenBackward) []phase {
	b.workspace(g.Workspace)
	n := g.Rows * g.C
	dx := b.mem(g.DX, n)
	gamma, runMean, runVar := b.mem(g.Gamma, g.C), b.mem(g.RunMean, g.C), b.mem(g.RunVar, g.C)
	dGamma, dBeta := b.mem(g.DGamma, g.C), b.mem(g.DBeta, g.C)
	a := affineGradient{scale: b.scratch(g.C), add: g.Accumulate}
	sums := newColumnSums(b, g.Rows, g.C, 2)
	first := b.upstream(g.EpilogueGradient, g.DY, n)
	invStd := func(c int) float64 { return 1 / math.Sqrt(float64(runVar[c])+float64(g.Eps)) }
	var list []phase
	if dGamma != nil {
		list = append(list, first.sums(sums, b.mem(g.X, n), runMean), phase{1, func(_, _ int) {
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
		for c := range a.scale {
			a.scale[c] = float32(float64(gamma[c]) * invStd(c))
		}
	}})
	dy, rest := g.Rest(g.DY)
	u := b.upstream(rest, dy, n)
	return append(list, overRows(g.Rows, g.C, func(lo, hi int) {
		if first.residual != nil && dGamma == nil { // else the sums have computed it
			first.computeResidual(lo*g.C, hi*g.C)
		}
		a.rows(dx, u, lo, hi)
	})...)
}
