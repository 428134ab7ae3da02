package cpu

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
)

func bindFoldBatchNorm(b *binder, f device.FoldBatchNorm) []phase {
	w, bias := b.mem(f.Weight, f.C*f.Len), b.mem(f.Bias, f.C)
	gamma, beta, runMean, runVar := b.mem(f.Gamma, f.C), b.mem(f.Beta, f.C), b.mem(f.RunMean, f.C), b.mem(f.RunVar, f.C)
	foldedWeight, foldedBias := b.mem(f.FoldedWeight, f.C*f.Len), b.mem(f.FoldedBias, f.C)
	return overRows(f.C, f.Len, func(lo, hi int) {
		for c := lo; c < hi; c++ {
			scale, shift := float64(gamma[c])/math.Sqrt(float64(runVar[c])+float64(f.Eps)), -float64(runMean[c])
			if bias != nil {
				shift += float64(bias[c])
			}
			foldedBias[c] = float32(float64(beta[c]) + shift*scale)
			from, to := w[c*f.Len:][:f.Len], foldedWeight[c*f.Len:][:f.Len]
			for i, v := range from {
				to[i] = float32(float64(v) * scale)
			}
		}
	})
}
