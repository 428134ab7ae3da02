package ref

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// batchStatistics are what a batch norm computes of its input before it normalises.
type batchStatistics struct {
	runMean, runVar, mean, invStd []float64
	eps, momentum                 float64
}

func (b *binder) batchStatistics(runMean, runVar, mean, invStd device.Mem, c int, eps, momentum float32) batchStatistics {
	return batchStatistics{b.mem(runMean, c), b.mem(runVar, c), b.mem(mean, c), b.mem(invStd, c), float64(eps), float64(momentum)}
}

// compute computes them from x, (rows, C).
func (s batchStatistics) compute(x []float64) {
	channels := len(s.mean)
	rows := float64(len(x) / channels)
	for c := range channels {
		mu := 0.0
		for i := c; i < len(x); i += channels {
			mu += x[i]
		}
		mu /= rows
		squares := 0.0
		for i := c; i < len(x); i += channels {
			d := x[i] - mu
			squares += d * d
		}
		s.mean[c] = mu
		s.invStd[c] = 1 / math.Sqrt(squares/rows+s.eps)
		s.runMean[c] = (1-s.momentum)*s.runMean[c] + s.momentum*mu
		s.runVar[c] = (1-s.momentum)*s.runVar[c] + s.momentum*squares/(rows-1)
	}
}

func batchNormForward(b *binder, f device.BatchNormForward) func() {
	x, y := b.in(f.X, f.Rows*f.C, f.Type), b.out(f.Y, f.Rows*f.C, f.Type)
	e := b.epilogue(device.Epilogue{Residual: f.Residual, Act: f.Act}, f.Rows, f.C, f.Type)
	gamma, beta := b.mem(f.Gamma, f.C), b.mem(f.Beta, f.C)
	s := b.batchStatistics(f.RunMean, f.RunVar, f.Mean, f.InvStd, f.C, f.Eps, f.Momentum)
	return func() {
		s.compute(x)
		for i, v := range x {
			c := i % f.C
			y[i] = e.apply(gamma[c]*(v-s.mean[c])*s.invStd[c]+beta[c], i, c)
		}
	}
}

func batchNormInference(b *binder, f device.BatchNormInference) func() {
	x, y := b.in(f.X, f.Rows*f.C, f.Type), b.out(f.Y, f.Rows*f.C, f.Type)
	e := b.epilogue(device.Epilogue{Residual: f.Residual, Act: f.Act}, f.Rows, f.C, f.Type)
	gamma, beta := b.mem(f.Gamma, f.C), b.mem(f.Beta, f.C)
	runMean, runVar := b.mem(f.RunMean, f.C), b.mem(f.RunVar, f.C)
	return func() {
		for i := range y {
			c := i % f.C
			y[i] = e.apply(gamma[c]*(x[i]-runMean[c])/math.Sqrt(runVar[c]+float64(f.Eps))+beta[c], i, c)
		}
	}
}

func foldBatchNorm(b *binder, f device.FoldBatchNorm) func() {
	w, bias := b.mem(f.Weight, f.C*f.Len), b.mem(f.Bias, f.C)
	gamma, beta, runMean, runVar := b.mem(f.Gamma, f.C), b.mem(f.Beta, f.C), b.mem(f.RunMean, f.C), b.mem(f.RunVar, f.C)
	foldedWeight, foldedBias := b.out(f.FoldedWeight, f.C*f.Len, f.Type), b.mem(f.FoldedBias, f.C)
	return func() {
		for c := range f.C {
			scale := gamma[c] / math.Sqrt(runVar[c]+float64(f.Eps))
			for i := range f.Len {
				foldedWeight[c*f.Len+i] = w[c*f.Len+i] * scale
			}
			shift := -runMean[c]
			if bias != nil {
				shift += bias[c]
			}
			foldedBias[c] = beta[c] + shift*scale
		}
	}
}

func batchNormBackward(b *binder, g device.BatchNormBackward) func() {
	x, dx := b.in(g.X, g.Rows*g.C, g.Type), b.out(g.DX, g.Rows*g.C, g.Type)
	e := b.epilogueGradient(g.EpilogueGradient, g.DY, g.Rows*g.C, g.Type)
	gamma, mean, invStd := b.mem(g.Gamma, g.C), b.mem(g.Mean, g.C), b.mem(g.InvStd, g.C)
	dGamma, dBeta := b.mem(g.DGamma, g.C), b.mem(g.DBeta, g.C)
	return func() {
		dy := e.apply()
		for c := range g.C {
			sumDY, sumDYX := 0.0, 0.0
			for r := range g.Rows {
				i := r*g.C + c
				sumDY += dy[i]
				sumDYX += dy[i] * (x[i] - mean[c]) * invStd[c]
			}
			store(&dGamma[c], sumDYX, g.AccumulateParams)
			store(&dBeta[c], sumDY, g.AccumulateParams)
			if dx == nil {
				continue
			}
			rows := float64(g.Rows)
			for r := range g.Rows {
				i := r*g.C + c
				hat := (x[i] - mean[c]) * invStd[c]
				store(&dx[i], gamma[c]*invStd[c]*(dy[i]-sumDY/rows-hat*sumDYX/rows), g.Accumulate)
			}
		}
	}
}

func batchNormFrozenBackward(b *binder, g device.BatchNormFrozenBackward) func() {
	dx := b.out(g.DX, g.Rows*g.C, g.Type)
	e := b.epilogueGradient(g.EpilogueGradient, g.DY, g.Rows*g.C, g.Type)
	gamma, runMean, runVar := b.mem(g.Gamma, g.C), b.mem(g.RunMean, g.C), b.mem(g.RunVar, g.C)
	dGamma, dBeta := b.mem(g.DGamma, g.C), b.mem(g.DBeta, g.C)
	var x []float64
	if dGamma != nil {
		x = b.in(g.X, g.Rows*g.C, g.Type)
	}
	return func() {
		dy := e.apply()
		for c := range g.C {
			invStd := 1 / math.Sqrt(runVar[c]+float64(g.Eps))
			if dGamma != nil {
				sumDY, sumDYX := 0.0, 0.0
				for r := range g.Rows {
					i := r*g.C + c
					sumDY += dy[i]
					sumDYX += dy[i] * (x[i] - runMean[c]) * invStd
				}
				store(&dGamma[c], sumDYX, g.AccumulateParams)
				store(&dBeta[c], sumDY, g.AccumulateParams)
			}
			if dx == nil {
				continue
			}
			for r := range g.Rows {
				i := r*g.C + c
				store(&dx[i], dy[i]*gamma[c]*invStd, g.Accumulate)
			}
		}
	}
}
