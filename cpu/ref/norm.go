package ref

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
)

func batchNormForward(b *binder, f device.BatchNormForward) func() {
	x, y := b.in(f.X, f.Rows*f.C, f.Type), b.out(f.Y, f.Rows*f.C, f.Type)
	e := b.epilogue(device.Epilogue{Residual: f.Residual, Act: f.Act}, f.Rows, f.C, f.Type)
	gamma, beta := b.mem(f.Gamma, f.C), b.mem(f.Beta, f.C)
	runMean, runVar := b.mem(f.RunMean, f.C), b.mem(f.RunVar, f.C)
	mean, invStd := b.mem(f.Mean, f.C), b.mem(f.InvStd, f.C)
	rows, momentum := float64(f.Rows), float64(f.Momentum)
	return func() {
		for c := range f.C {
			mu := 0.0
			for r := range f.Rows {
				mu += x[r*f.C+c]
			}
			mu /= rows
			squares := 0.0
			for r := range f.Rows {
				d := x[r*f.C+c] - mu
				squares += d * d
			}
			mean[c] = mu
			invStd[c] = 1 / math.Sqrt(squares/rows+float64(f.Eps))
			for r := range f.Rows {
				y[r*f.C+c] = e.apply(gamma[c]*(x[r*f.C+c]-mu)*invStd[c]+beta[c], r*f.C+c, c)
			}
			runMean[c] = (1-momentum)*runMean[c] + momentum*mu
			runVar[c] = (1-momentum)*runVar[c] + momentum*squares/(rows-1)
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
