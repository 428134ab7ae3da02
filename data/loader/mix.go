package loader

import (
	"fmt"
	"math"

	"github.com/cnnctl/cnnctl/philox"
)

// Mix blends the samples of a batch pairwise, the first with the last and so on, with one random ratio per batch, as
// timm does. The zero Mix does nothing; timm's train.py sets Prob to 1 and Switch to 0.5.
//
// MixUp (Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2017) averages images and targets with weights
// lambda and 1-lambda, lambda from Beta(alpha, alpha). CutMix (Yun et al., 2019) replaces a rectangle with the share
// 1-lambda of the area, and weights the targets with the shares that result.
type Mix struct {
	MixUp, CutMix float64 // alpha; 0 switches it off
	Prob          float64 // that a batch is mixed at all
	Switch        float64 // that a mixed batch gets CutMix where both are on
}

func (m Mix) on() bool { return m.Prob > 0 && (m.MixUp > 0 || m.CutMix > 0) }

func (m Mix) validate() error {
	if !(m.MixUp >= 0 && m.MixUp <= 1e6 && m.CutMix >= 0 && m.CutMix <= 1e6) {
		return fmt.Errorf("%w: mixup is %g and cutmix is %g; want 0 (off) or an alpha up to 1e6", ErrConfig, m.MixUp, m.CutMix)
	}
	if !(m.Prob >= 0 && m.Prob <= 1 && m.Switch >= 0 && m.Switch <= 1) {
		return fmt.Errorf("%w: the probability of mixing is %g and that of switching is %g; want 0 to 1", ErrConfig, m.Prob, m.Switch)
	}
	return nil
}

// apply mixes b, whose samples have h x w pixels of c channels, and tells whether it did.
func (m Mix) apply(r *philox.Stream, b *Batch, h, w, c int) bool {
	if !r.Bool(m.Prob) {
		return false
	}
	cut := m.MixUp == 0 || m.CutMix > 0 && r.Bool(m.Switch)
	alpha := m.MixUp
	if cut {
		alpha = m.CutMix
	}
	lambda := beta(r, alpha)
	if cut {
		box := drawBox(r, lambda, h, w)
		lambda = 1 - float64(box.area())/float64(h*w)
		b.pairs(b.X, func(x, y []float32) { box.swap(x, y, w, c) })
	} else {
		b.pairs(b.X, func(x, y []float32) { blend(x, y, float32(lambda)) })
	}
	b.pairs(b.T, func(x, y []float32) { blend(x, y, float32(lambda)) })
	return true
}

// pairs calls f with rows i and N-1-i of v, which has a row per sample, for each pair once. The middle row of an odd
// number would be mixed with itself, which changes nothing.
func (b *Batch) pairs(v []float32, f func(x, y []float32)) {
	n := len(v) / len(b.Labels)
	for i, j := 0, b.N-1; i < j; i, j = i+1, j-1 {
		f(v[i*n:(i+1)*n], v[j*n:(j+1)*n])
	}
}

// blend sets x to lambda*x + (1-lambda)*y and y to lambda*y + (1-lambda)*x.
func blend(x, y []float32, lambda float32) {
	y = y[:len(x)]
	for i, a := range x {
		b := y[i]
		x[i] = float32(lambda*a) + float32((1-lambda)*b)
		y[i] = float32(lambda*b) + float32((1-lambda)*a)
	}
}

// box is the rectangle of a CutMix, top <= y < bottom and left <= x < right.
type box struct{ top, left, bottom, right int }

// drawBox returns a box with about the share 1-lambda of h x w pixels about a uniform centre; the border cuts it off.
func drawBox(r *philox.Stream, lambda float64, h, w int) box {
	side := math.Sqrt(1 - lambda)
	halfH, halfW := int(float64(h)*side)/2, int(float64(w)*side)/2
	y, x := r.IntN(h), r.IntN(w)
	return box{max(y-halfH, 0), max(x-halfW, 0), min(y+halfH, h), min(x+halfW, w)}
}

func (b box) area() int { return (b.bottom - b.top) * (b.right - b.left) }

// swap exchanges the box between the images x and y (h, w, c).
func (b box) swap(x, y []float32, w, c int) {
	for row := b.top; row < b.bottom; row++ {
		from, to := (row*w+b.left)*c, (row*w+b.right)*c
		p, q := x[from:to], y[from:to]
		for i := range p {
			p[i], q[i] = q[i], p[i]
		}
	}
}

// beta draws from Beta(alpha, alpha) as X/(X+Y) with two gamma variates, through their logarithms: for a small alpha
// both often underflow.
func beta(r *philox.Stream, alpha float64) float64 {
	return 1 / (1 + math.Exp(logGamma(r, alpha)-logGamma(r, alpha)))
}

// logGamma returns the logarithm of a variate of Gamma(alpha, 1), by Marsaglia and Tsang, "A simple method for generating
// gamma variables" (2000): the rejection method for alpha >= 1, and section 6's power of a uniform variate below.
func logGamma(r *philox.Stream, alpha float64) float64 {
	boost := 0.0
	if alpha < 1 {
		boost = math.Log(1-r.Float64()) / alpha
		alpha++
	}
	d := alpha - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.Normal()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v *= v * v
		if math.Log(1-r.Float64()) < 0.5*x*x+d-d*v+d*math.Log(v) {
			return math.Log(d*v) + boost
		}
	}
}
