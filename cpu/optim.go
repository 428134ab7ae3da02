package cpu

import (
	"math"

	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
)

// update is device.Update with its operands bound and its segments cut into pieces.
type update struct {
	w, g, norm, hyper []float32
	maxNorm           float32
	pieces            []piece
}

// A piece is a range of elements that are updated alike.
type piece struct {
	lo, hi         int
	lrScale, decay float32
}

func (b *binder) update(u device.Update) update {
	v := update{w: b.mem(u.W, u.N), g: b.mem(u.G, u.N), norm: b.mem(u.Norm, 1), hyper: b.mem(u.Hyper, device.HyperWords), maxNorm: u.MaxNorm}
	for _, s := range u.Segments {
		for c, i := every(s.Len, grain), 0; i < c.count; i++ {
			lo, hi := c.at(i)
			v.pieces = append(v.pieces, piece{s.Off + lo, s.Off + hi, s.LRScale, s.Decay})
		}
	}
	return v
}

// clip returns the factor for the gradients, and whether there is to be an update at all.
func (u update) clip() (float32, bool) {
	norm := float64(u.norm[0])
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return 0, false
	}
	if u.maxNorm > 0 {
		return float32(min(1, float64(u.maxNorm)/(norm+1e-6))), true
	}
	return 1, true
}

// phase returns the phase in which f updates pieces, given the factor for the gradient and the learning rate. Biases are segments of
// a few elements, so a task is a run of pieces that make up about one grain.
func (u update) phase(f func(p piece, clip, lr float32)) []phase {
	starts, size := []int{}, grain
	for i, p := range u.pieces {
		if n := p.hi - p.lo; size+n > grain {
			starts, size = append(starts, i), n
		} else {
			size += n
		}
	}
	starts = append(starts, len(u.pieces))
	return []phase{{len(starts) - 1, func(task, _ int) {
		clip, ok := u.clip()
		if !ok {
			return
		}
		for _, p := range u.pieces[starts[task]:starts[task+1]] {
			f(p, clip, u.hyper[1]*p.lrScale)
		}
	}}}
}

func bindSGD(b *binder, s device.SGD) []phase {
	u, momentum := b.update(s.Update), b.mem(s.V, s.N)
	return u.phase(func(p piece, clip, lr float32) {
		w, g := u.w[p.lo:p.hi], u.g[p.lo:p.hi]
		if kernel.Available {
			r := kernel.Rate{Clip: clip, LR: lr, Decay: p.decay, Momentum: u.hyper[2]}
			if momentum == nil {
				kernel.SGD(w, g, nil, r, false)
			} else {
				kernel.SGD(w, g, momentum[p.lo:p.hi], r, s.Nesterov)
			}
			return
		}
		if momentum == nil {
			for i := range w {
				w[i] -= lr * (clip*g[i] + p.decay*w[i])
			}
			return
		}
		v, mu := momentum[p.lo:p.hi], u.hyper[2]
		for i := range w {
			d := clip*g[i] + p.decay*w[i]
			v[i] = mu*v[i] + d
			if s.Nesterov {
				d += mu * v[i]
			} else {
				d = v[i]
			}
			w[i] -= lr * d
		}
	})
}

func bindAdamW(b *binder, a device.AdamW) []phase {
	u, first, second := b.update(a.Update), b.mem(a.M, a.N), b.mem(a.V, a.N)
	return u.phase(func(p piece, clip, lr float32) {
		w, g, m, v := u.w[p.lo:p.hi], u.g[p.lo:p.hi], first[p.lo:p.hi], second[p.lo:p.hi]
		beta1, inv1, inv2 := u.hyper[2], 1/u.hyper[3], 1/u.hyper[4]
		if kernel.Available {
			kernel.AdamW(w, g, m, v, kernel.Rate{Clip: clip, LR: lr, Decay: p.decay, Momentum: beta1}, a.Beta2, a.Eps, inv1, inv2)
			return
		}
		for i := range w {
			d := clip * g[i]
			m[i] = beta1*m[i] + (1-beta1)*d
			v[i] = a.Beta2*v[i] + (1-a.Beta2)*d*d
			w[i] -= lr*p.decay*w[i] + lr*(m[i]*inv1)/(sqrt(v[i]*inv2)+a.Eps)
		}
	})
}

func bindRMSprop(b *binder, r device.RMSprop) []phase {
	u, squares, momentum := b.update(r.Update), b.mem(r.S, r.N), b.mem(r.V, r.N)
	return u.phase(func(p piece, clip, lr float32) {
		w, g, s := u.w[p.lo:p.hi], u.g[p.lo:p.hi], squares[p.lo:p.hi]
		var v []float32
		if momentum != nil {
			v = momentum[p.lo:p.hi]
		}
		mu := u.hyper[2]
		if kernel.Available {
			kernel.RMSprop(w, g, s, v, kernel.Rate{Clip: clip, LR: lr, Decay: p.decay, Momentum: mu}, r.Alpha, r.Eps)
			return
		}
		for i := range w {
			d := clip*g[i] + p.decay*w[i]
			s[i] = r.Alpha*s[i] + (1-r.Alpha)*d*d
			d /= sqrt(s[i]) + r.Eps
			if v != nil {
				v[i] = mu*v[i] + d
				d = v[i]
			}
			w[i] -= lr * d
		}
	})
}

// sqrt is one instruction: the compiler knows this form.
func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

func bindEMA(b *binder, e device.EMA) []phase {
	avg, w, hyper := b.mem(e.E, e.N), b.mem(e.W, e.N), b.mem(e.Hyper, device.HyperWords)
	return elementwise(e.N, func(lo, hi int) {
		d := hyper[5]
		avg, w := avg[lo:hi], w[lo:hi]
		if kernel.Available {
			kernel.EMA(avg, w, d)
			return
		}
		for i := range avg {
			avg[i] = d*avg[i] + (1-d)*w[i]
		}
	})
}

func bindNorm2(b *binder, m device.Norm2) []phase {
	b.workspace(m.Workspace)
	x, y := b.mem(m.X, m.N), b.mem(m.Y, 1)
	parts := split(m.N, 4*wanted, grain)
	sums := b.doubles(parts.count)
	return []phase{
		{parts.count, func(task, _ int) {
			lo, hi := parts.at(task)
			if kernel.Available {
				kernel.SumSquares(sums[task:], x[lo:hi])
			} else {
				sums[task] = longSumSquares(x[lo:hi])
			}
		}},
		{1, func(_, _ int) {
			total := 0.0
			for _, v := range sums {
				total += v
			}
			y[0] = float32(math.Sqrt(total))
		}},
	}
}

// longSumSquares is sumSquares with four sums: a single one would wait for each addition before it starts the next.
func longSumSquares(x []float32) float64 {
	var s0, s1, s2, s3 float64
	for len(x) >= 4 {
		a, b, c, d := float64(x[0]), float64(x[1]), float64(x[2]), float64(x[3])
		s0 += a * a
		s1 += b * b
		s2 += c * c
		s3 += d * d
		x = x[4:]
	}
	return (s0 + s1) + (s2 + s3) + sumSquares(x)
}
