package cpu

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// crossEntropy is a bound device.SoftmaxCrossEntropy.
type crossEntropy struct {
	device.SoftmaxCrossEntropy
	logits, targets, dlogits, stats []float32
	counts                          []float64 // 1 for each row that counts, else 0
	losses                          []float64 // of each row
	ranks                           []float64 // of each row's target class
}

func (b *binder) crossEntropy(s device.SoftmaxCrossEntropy) crossEntropy {
	b.workspace(s.Workspace)
	n := s.Rows * s.Classes
	return crossEntropy{
		s, b.mem(s.Logits, n), b.mem(s.Targets, n), b.mem(s.DLogits, n), b.mem(s.Stats, device.StatsWords),
		b.doubles(s.Rows), b.doubles(s.Rows), b.doubles(s.Rows),
	}
}

// bindCrossEntropy counts the rows first, because every gradient is divided by their number, and adds up last, in the order of the rows.
func bindCrossEntropy(b *binder, s device.SoftmaxCrossEntropy) []phase {
	e := b.crossEntropy(s)
	list := overRows(s.Rows, s.Classes, e.count)
	list = append(list, overRows(s.Rows, 16*s.Classes, func(lo, hi int) {
		e.rank(lo, hi)
		e.rows(lo, hi)
	})...)
	return append(list, phase{1, func(_, _ int) { e.total() }})
}

// row returns row r of a (Rows, Classes) matrix.
func (e crossEntropy) row(x []float32, r int) []float32 { return x[r*e.Classes:][:e.Classes] }

// count finds out which rows count.
func (e crossEntropy) count(lo, hi int) {
	for r := lo; r < hi; r++ {
		e.counts[r] = 0
		for _, t := range e.row(e.targets, r) {
			if t != 0 {
				e.counts[r] = 1
				break
			}
		}
	}
}

func (e crossEntropy) counted() float64 {
	n := 0.0
	for _, v := range e.counts {
		n += v
	}
	return n
}

// rank finds out how many logits come before that of the target class.
func (e crossEntropy) rank(lo, hi int) {
	for r := lo; r < hi; r++ {
		targets, logits := e.row(e.targets, r), e.row(e.logits, r)
		target := 0
		for i, t := range targets {
			if t > targets[target] {
				target = i
			}
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

// fewClasses is the number of classes up to which the exponentials of a row are kept on the stack; beyond it they are computed twice.
const fewClasses = 128

// rows computes losses and gradients.
func (e crossEntropy) rows(lo, hi int) {
	scale := 1 / max(1, e.counted())
	smooth, uniform := 1-float64(e.Smoothing), float64(e.Smoothing)/float64(e.Classes)
	var kept [fewClasses]float64
	for r := lo; r < hi; r++ {
		x, t := e.row(e.logits, r), e.row(e.targets, r)
		var d []float32
		if e.dlogits != nil {
			d = e.row(e.dlogits, r)
		}
		if e.counts[r] == 0 {
			e.losses[r] = 0
			clear(d)
			continue
		}
		top, sum := sumExp(x, kept[:])
		logSum := top + math.Log(sum)
		loss := 0.0
		for c, v := range x {
			soft := smooth*float64(t[c]) + uniform
			loss -= soft * (float64(v) - logSum)
			if d == nil {
				continue
			}
			p := 0.0
			if len(x) <= fewClasses {
				p = kept[c] / sum
			} else {
				p = math.Exp(float64(v) - logSum)
			}
			d[c] = float32((p - soft) * scale) // after x[c] was read: d may be x
		}
		e.losses[r] = loss
	}
}

// sumExp returns the largest x and the sum of exp(x - largest), without overflow. It keeps as many of the exponentials as kept has room for.
func sumExp(x []float32, kept []float64) (top, sum float64) {
	largest := x[0]
	for _, v := range x {
		largest = max(largest, v)
	}
	top = float64(largest)
	for i, v := range x {
		p := math.Exp(float64(v) - top)
		if i < len(kept) {
			kept[i] = p
		}
		sum += p
	}
	return top, sum
}

func (e crossEntropy) total() {
	loss, top1, top5 := 0.0, 0, 0
	for r, k := range e.ranks {
		if e.counts[r] == 0 {
			continue
		}
		loss += e.losses[r]
		if k == 0 {
			top1++
		}
		if k < 5 {
			top5++
		}
	}
	n := e.counted()
	loss /= max(1, n)
	e.stats[0], e.stats[1], e.stats[2], e.stats[3] = float32(loss), float32(top1), float32(top5), float32(n)
}
