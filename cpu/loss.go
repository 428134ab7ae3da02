package cpu

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// crossEntropy is a bound device.SoftmaxCrossEntropy.
type crossEntropy struct {
	device.SoftmaxCrossEntropy
	logits, targets, dlogits, stats []float32
	losses                          []float64 // of each row
	ranks                           []float64 // of each row's target class, or -1 if the row does not count
}

// bindCrossEntropy counts the rows first, because every gradient is divided by their number, and adds up last, in the order of the rows.
func bindCrossEntropy(b *binder, s device.SoftmaxCrossEntropy) []phase {
	b.workspace(s.Workspace)
	n := s.Rows * s.Classes
	e := crossEntropy{
		s, b.mem(s.Logits, n), b.mem(s.Targets, n), b.mem(s.DLogits, n), b.mem(s.Stats, device.StatsWords),
		b.doubles(s.Rows), b.doubles(s.Rows),
	}
	list := overRows(s.Rows, 2*s.Classes, e.rank)
	list = append(list, overRows(s.Rows, 16*s.Classes, e.rows)...)
	return append(list, phase{1, func(_, _ int) { e.total() }})
}

// row returns row r of a (Rows, Classes) matrix.
func (e crossEntropy) row(x []float32, r int) []float32 { return x[r*e.Classes:][:e.Classes] }

// rank finds out which rows count and how many logits come before that of the target class.
func (e crossEntropy) rank(lo, hi int) {
	for r := lo; r < hi; r++ {
		targets, logits := e.row(e.targets, r), e.row(e.logits, r)
		target, counts := 0, false
		for i, t := range targets {
			counts = counts || t != 0
			if t > targets[target] {
				target = i
			}
		}
		if !counts {
			e.ranks[r] = -1
			continue
		}
		before, x := 0, logits[target]
		for i, v := range logits {
			if i < target && !(v < x) || i > target && !(v <= x) { // so that NaN comes before everything
				before++
			}
		}
		e.ranks[r] = float64(before)
	}
}

func (e crossEntropy) counted() int {
	n := 0
	for _, k := range e.ranks {
		if k >= 0 {
			n++
		}
	}
	return n
}

// rows computes losses and gradients.
func (e crossEntropy) rows(lo, hi int) {
	scale := 1 / float64(max(1, e.counted()))
	smooth, uniform := 1-float64(e.Smoothing), float64(e.Smoothing)/float64(e.Classes)
	for r := lo; r < hi; r++ {
		x, t := e.row(e.logits, r), e.row(e.targets, r)
		var d []float32
		if e.dlogits != nil {
			d = e.row(e.dlogits, r)
		}
		if e.ranks[r] < 0 {
			e.losses[r] = 0
			clear(d)
			continue
		}
		logSum := logSumExp(x)
		loss := 0.0
		for c, v := range x {
			soft := smooth*float64(t[c]) + uniform
			logp := float64(v) - logSum
			loss -= soft * logp
			if d != nil {
				d[c] = float32((math.Exp(logp) - soft) * scale) // after x[c] was read: d may be x
			}
		}
		e.losses[r] = loss
	}
}

// logSumExp returns log(sum exp x) without overflow.
func logSumExp(x []float32) float64 {
	largest := x[0]
	for _, v := range x {
		largest = max(largest, v)
	}
	top, sum := float64(largest), 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}

func (e crossEntropy) total() {
	loss, top1, top5 := 0.0, 0, 0
	for r, k := range e.ranks {
		loss += e.losses[r]
		if k == 0 {
			top1++
		}
		if k >= 0 && k < 5 {
			top5++
		}
	}
	n := e.counted()
	loss /= float64(max(1, n))
	e.stats[0], e.stats[1], e.stats[2], e.stats[3] = float32(loss), float32(top1), float32(top5), float32(n)
}
