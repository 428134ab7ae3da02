package ref

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// update is device.Update with its operands bound.
type update struct {
	device.Update
	w, g, norm, hyper []float64
}

func (b *binder) update(u device.Update) update {
	return update{u, b.mem(u.W, u.N), b.mem(u.G, u.N), b.mem(u.Norm, 1), b.mem(u.Hyper, device.HyperWords)}
}

// each calls f for every element of every segment, with the clipped gradient, the segment's learning rate and decay; for
// none if the norm is not finite.
func (u update) each(f func(i int, g, lr, decay float64)) {
	norm := u.norm[0]
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return
	}
	clip := 1.0
	if u.MaxNorm > 0 {
		clip = math.Min(1, float64(u.MaxNorm)/(norm+1e-6))
	}
	lr := u.hyper[1]
	for _, s := range u.Segments {
		for i := s.Off; i < s.Off+s.Len; i++ {
			f(i, clip*u.g[i], lr*float64(s.LRScale), float64(s.Decay))
		}
	}
}

func sgd(b *binder, s device.SGD) func() {
	u, v := b.update(s.Update), b.mem(s.V, s.N)
	return func() {
		mu := u.hyper[2]
		u.each(func(i int, g, lr, decay float64) {
			g += decay * u.w[i]
			if v != nil {
				v[i] = mu*v[i] + g
				if s.Nesterov {
					g += mu * v[i]
				} else {
					g = v[i]
				}
			}
			u.w[i] -= lr * g
		})
	}
}

func adamW(b *binder, a device.AdamW) func() {
	u, m, v := b.update(a.Update), b.mem(a.M, a.N), b.mem(a.V, a.N)
	beta2, eps := float64(a.Beta2), float64(a.Eps)
	return func() {
		beta1, correct1, correct2 := u.hyper[2], u.hyper[3], u.hyper[4]
		u.each(func(i int, g, lr, decay float64) {
			u.w[i] -= lr * decay * u.w[i]
			m[i] = beta1*m[i] + (1-beta1)*g
			v[i] = beta2*v[i] + (1-beta2)*g*g
			u.w[i] -= lr * (m[i] / correct1) / (math.Sqrt(v[i]/correct2) + eps)
		})
	}
}

func rmsProp(b *binder, r device.RMSprop) func() {
	u, s, v := b.update(r.Update), b.mem(r.S, r.N), b.mem(r.V, r.N)
	alpha, eps := float64(r.Alpha), float64(r.Eps)
	return func() {
		mu := u.hyper[2]
		u.each(func(i int, g, lr, decay float64) {
			g += decay * u.w[i]
			s[i] = alpha*s[i] + (1-alpha)*g*g
			g /= math.Sqrt(s[i]) + eps
			if v != nil {
				v[i] = mu*v[i] + g
				g = v[i]
			}
			u.w[i] -= lr * g
		})
	}
}

func ema(b *binder, e device.EMA) func() {
	avg, w, hyper := b.mem(e.E, e.N), b.mem(e.W, e.N), b.mem(e.Hyper, device.HyperWords)
	return func() {
		d := hyper[5]
		for i := range avg {
			avg[i] = d*avg[i] + (1-d)*w[i]
		}
	}
}

func norm2(b *binder, m device.Norm2) func() {
	x, y := b.mem(m.X, m.N), b.mem(m.Y, 1)
	return func() {
		sum := 0.0
		for _, v := range x {
			sum += v * v
		}
		y[0] = math.Sqrt(sum)
	}
}
