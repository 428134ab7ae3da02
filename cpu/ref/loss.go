package ref

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// logSumExp returns log(sum exp x) without overflow.
func logSumExp(x []float64) float64 {
	top := math.Inf(-1)
	for _, v := range x {
		top = math.Max(top, v)
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(v - top)
	}
	return top + math.Log(sum)
}

func softmax(b *binder, s device.Softmax) func() {
	x, y := b.in(s.X, s.Rows*s.Classes, s.Type), b.out(s.Y, s.Rows*s.Classes, s.Type)
	return func() {
		for r := range s.Rows {
			lo, hi := r*s.Classes, (r+1)*s.Classes
			lse := logSumExp(x[lo:hi])
			for i := lo; i < hi; i++ {
				y[i] = math.Exp(x[i] - lse)
			}
		}
	}
}

func softmaxBackward(b *binder, s device.SoftmaxBackward) func() {
	n := s.Rows * s.Classes
	y, dy, dx := b.in(s.Y, n, s.Type), b.in(s.DY, n, s.Type), b.out(s.DX, n, s.Type)
	return func() {
		for r := range s.Rows {
			lo, hi := r*s.Classes, (r+1)*s.Classes
			dot := 0.0
			for i := lo; i < hi; i++ {
				dot += dy[i] * y[i]
			}
			for i := lo; i < hi; i++ {
				store(&dx[i], y[i]*(dy[i]-dot), s.Accumulate)
			}
		}
	}
}

func softmaxCrossEntropy(b *binder, s device.SoftmaxCrossEntropy) func() {
	n := s.Rows * s.Classes
	logits, dlogits := b.in(s.Logits, n, s.Type), b.out(s.DLogits, n, s.Type)
	targets, stats := b.mem(s.Targets, n), b.mem(s.Stats, device.StatsWords)
	smoothing, classes := float64(s.Smoothing), float64(s.Classes)
	return func() {
		counted := 0
		for r := range s.Rows {
			if !allZero(targets[r*s.Classes : (r+1)*s.Classes]) {
				counted++
			}
		}
		loss, top1, top5 := 0.0, 0, 0
		for r := range s.Rows {
			x, t := logits[r*s.Classes:(r+1)*s.Classes], targets[r*s.Classes:(r+1)*s.Classes]
			var dx []float64
			if dlogits != nil {
				dx = dlogits[r*s.Classes : (r+1)*s.Classes]
			}
			if allZero(t) {
				clear(dx)
				continue
			}
			switch k := rank(x, argMax(t)); {
			case k == 0:
				top1++
				top5++
			case k < 5:
				top5++
			}
			lse := logSumExp(x)
			for c, v := range x {
				soft := (1-smoothing)*t[c] + smoothing/classes
				loss -= soft * (v - lse)
				if dx != nil {
					dx[c] = (math.Exp(v-lse) - soft) / float64(counted)
				}
			}
		}
		if counted > 0 {
			loss /= float64(counted)
		}
		stats[0], stats[1], stats[2], stats[3] = loss, float64(top1), float64(top5), float64(counted)
	}
}

func allZero(t []float64) bool {
	for _, v := range t {
		if v != 0 {
			return false
		}
	}
	return true
}

// argMax returns the index of the largest element, the first of equal ones.
func argMax(t []float64) int {
	best := 0
	for i, v := range t {
		if v > t[best] {
			best = i
		}
	}
	return best
}

// rank returns how many elements come before x[target] in descending order, equal ones in the order of their
// indices. NaN comes before everything: a network that has diverged is not right by accident.
func rank(x []float64, target int) int {
	k := 0
	for i, v := range x {
		switch {
		case i < target && !(v < x[target]), i > target && !(v <= x[target]):
			k++
		}
	}
	return k
}
