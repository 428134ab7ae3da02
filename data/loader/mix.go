package loader

import (
	"fmt"
	"math"
	"slices"

	"github.com/cnnctl/cnnctl/philox"
)

// Mix blends the samples of a batch pairwise, the first with the last and so on, as timm does. The zero Mix does nothing; timm's train.py sets
// Prob to 1 and Switch to 0.5.
//
// MixUp (Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2017) averages images and targets with weights
// lambda and 1-lambda, lambda from Beta(alpha, alpha). CutMix (Yun et al., 2019) replaces a rectangle with the share
// 1-lambda of the area, and weights the targets with the shares that result.
type Mix struct {
	MixUp, CutMix float64 // alpha; 0 switches it off
	Prob          float64 // that a batch is mixed at all; that a pair or a sample is, in the other modes
	Switch        float64 // that CutMix is applied where both are on
	Mode          MixMode
}

// MixMode says how often the choices of a Mix are made.
type MixMode string

// The modes, named as in timm. The empty mode means MixBatch.
const (
	MixBatch MixMode = "batch" // once for all samples of a batch
	MixPair  MixMode = "pair"  // for each pair of samples, which are mixed with each other alike
	MixElem  MixMode = "elem"  // for each sample
)

// MixModes lists the modes.
var MixModes = []MixMode{MixBatch, MixPair, MixElem}

// On reports that the batches can be mixed.
func (m Mix) On() bool { return m.Prob > 0 && (m.MixUp > 0 || m.CutMix > 0) }

func (m Mix) validate() error {
	if !(m.MixUp >= 0 && m.MixUp <= 1e6 && m.CutMix >= 0 && m.CutMix <= 1e6) {
		return fmt.Errorf("%w: mixup is %g and cutmix is %g; want 0 (off) or an alpha up to 1e6", ErrConfig, m.MixUp, m.CutMix)
	}
	if !(m.Prob >= 0 && m.Prob <= 1 && m.Switch >= 0 && m.Switch <= 1) {
		return fmt.Errorf("%w: the probability of mixing is %g and that of switching is %g; want 0 to 1", ErrConfig, m.Prob, m.Switch)
	}
	if m.Mode != "" && !slices.Contains(MixModes, m.Mode) {
		return fmt.Errorf("%w: the mode of mixing is %q; want one of %v", ErrConfig, string(m.Mode), MixModes)
	}
	return nil
}

// A blending is what was drawn for a batch, a pair or a sample: the share that a sample keeps of itself, and how.
type blending struct {
	keep float64
	cut  bool
	box  box // if cut
}

// draw makes the choices for images of h x w pixels.
func (m Mix) draw(r *philox.Stream, h, w int) (blending, bool) {
	if !r.Bool(m.Prob) {
		return blending{keep: 1}, false
	}
	d := blending{cut: m.MixUp == 0 || m.CutMix > 0 && r.Bool(m.Switch)}
	alpha := m.MixUp
	if d.cut {
		alpha = m.CutMix
	}
	d.keep = beta(r, alpha)
	if d.cut {
		d.box = drawBox(r, d.keep, h, w)
		d.keep = 1 - float64(d.box.area())/float64(h*w)
	}
	return d, true
}

// apply mixes b, whose samples have h x w pixels of c channels, and tells whether it mixed any. The middle sample of an odd number stays as it
// is: its partner is itself.
func (m Mix) apply(r *philox.Stream, b *Batch, h, w, c int) bool {
	var first, second blending
	var mixed, one, two bool
	if m.Mode == "" || m.Mode == MixBatch {
		if first, mixed = m.draw(r, h, w); !mixed {
			return false
		}
		second = first
	}
	for i, j := 0, b.N-1; i < j; i, j = i+1, j-1 {
		if m.Mode == MixPair || m.Mode == MixElem {
			first, one = m.draw(r, h, w)
			second, two = first, one
			if m.Mode == MixElem {
				second, two = m.draw(r, h, w)
			}
			mixed = mixed || one || two
		}
		x, y := row(b.X, b, i), row(b.X, b, j)
		b.spare = append(b.spare[:0], x...)
		first.images(x, y, w, c)
		second.images(y, b.spare, w, c)
		s, t := row(b.T, b, i), row(b.T, b, j)
		b.spare = append(b.spare[:0], s...)
		blend(s, t, float32(first.keep))
		blend(t, b.spare, float32(second.keep))
	}
	return mixed
}

// row returns the part of v, which has a row for each sample, that belongs to sample i.
func row(v []float32, b *Batch, i int) []float32 {
	n := len(v) / len(b.Labels)
	return v[i*n : (i+1)*n]
}

// images mixes y into x, both (h, w, c).
func (d blending) images(x, y []float32, w, c int) {
	switch {
	case d.keep == 1:
	case d.cut:
		d.box.copy(x, y, w, c)
	default:
		blend(x, y, float32(d.keep))
	}
}

// blend sets x to lambda*x + (1-lambda)*y.
func blend(x, y []float32, lambda float32) {
	y = y[:len(x)]
	for i, v := range x {
		x[i] = float32(lambda*v) + float32((1-lambda)*y[i])
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

// copy copies the box from the image y to x (h, w, c).
func (b box) copy(x, y []float32, w, c int) {
	for row := b.top; row < b.bottom; row++ {
		from, to := (row*w+b.left)*c, (row*w+b.right)*c
		copy(x[from:to], y[from:to])
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
