package synth

import (
	"math"
	"sync"
	"testing"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/philox"
)

// TestLinearModelIsNotEnough trains multinomial logistic regression on each set: a set that a linear model solves says
// nothing about a convolutional network. Both bounds count: digits that a linear model cannot read at all would be
// illegible.
func TestLinearModelIsNotEnough(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for seconds")
	}
	for _, c := range []struct {
		src       *data.Source
		epochs    int
		rate      float64
		low, high float64 // accuracy, percent
	}{
		{digits1(), 8, 0.01, 75, 90},
		{shapes1(), 2, 0.0003, 5, 40},
	} {
		best := logistic(c.src.Train.(*pictures), c.src.Val.(*pictures), c.epochs, c.rate)
		t.Logf("%s: a linear model reaches %.1f %%", c.src.Format, best)
		if best < c.low || best > c.high {
			t.Errorf("%s: a linear model reaches %.1f %%, want %.0f to %.0f", c.src.Format, best, c.low, c.high)
		}
	}
}

// logistic returns the best validation accuracy, in percent, over the epochs of minibatch gradient descent with
// momentum on W in softmax(W·x), W (classes, features + 1), at a rate that falls to zero.
func logistic(train, val *pictures, epochs int, rate float64) float64 {
	const batch, momentum = 64, 0.9
	classes := len(train.classes)
	features := train.size * train.size * train.channels
	w := make([]float32, classes*(features+1))
	grad := make([]float32, len(w)) // with the momentum of earlier batches
	x := make([]float32, features+1)
	p := make([]float64, classes)
	order := make([]int, train.n)
	best := 0.0
	steps := train.n / batch
	for e := range epochs {
		philox.New(1, philox.Test, 2, e).Perm(order)
		for k := range steps {
			for i := range grad {
				grad[i] *= momentum
			}
			for _, i := range order[k*batch : (k+1)*batch] {
				standardise(x, train, i)
				softmax(p, w, x)
				p[train.Label(i)]--
				for c, pc := range p {
					axpy(float32(pc/batch), x, grad[c*len(x):])
				}
			}
			axpy(float32(-rate*(1-float64(e*steps+k)/float64(epochs*steps))), grad, w)
		}
		best = max(best, accuracy(val, w))
	}
	return best
}

func accuracy(val *pictures, w []float32) float64 {
	right := 0
	var mu sync.Mutex
	parallel(val.n, func() func(int) {
		x := make([]float32, len(w)/len(val.classes))
		p := make([]float64, len(val.classes))
		return func(i int) {
			standardise(x, val, i)
			softmax(p, w, x)
			for _, v := range p {
				if v > p[val.Label(i)] {
					return
				}
			}
			mu.Lock()
			right++
			mu.Unlock()
		}
	})
	return 100 * float64(right) / float64(val.n)
}

// standardise writes picture i to x, about zero mean and unit variance, and the constant one that carries the bias.
func standardise(x []float32, p *pictures, i int) {
	mean, scale := float32(26), float32(1.0/45) // digits
	if p.channels == 3 {
		mean, scale = 118, 1.0/64
	}
	n := len(x) - 1
	for k, v := range p.pix[i*n : (i+1)*n] {
		x[k] = (float32(v) - mean) * scale
	}
	x[n] = 1
}

func softmax(p []float64, w, x []float32) {
	top := math.Inf(-1)
	for c := range p {
		p[c] = float64(dot(w[c*len(x):], x))
		top = max(top, p[c])
	}
	sum := 0.0
	for c := range p {
		p[c] = math.Exp(p[c] - top)
		sum += p[c]
	}
	for c := range p {
		p[c] /= sum
	}
}

func dot(w, x []float32) float32 {
	w = w[:len(x)]
	var a, b, c, d float32
	k := 0
	for ; k+4 <= len(x); k += 4 {
		a += w[k] * x[k]
		b += w[k+1] * x[k+1]
		c += w[k+2] * x[k+2]
		d += w[k+3] * x[k+3]
	}
	for ; k < len(x); k++ {
		a += w[k] * x[k]
	}
	return a + b + c + d
}

func axpy(a float32, x, y []float32) {
	y = y[:len(x)]
	for k, v := range x {
		y[k] += a * v
	}
}
