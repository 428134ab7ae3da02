package diagnose

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// LogME returns the logarithm of the maximum evidence of labels given features, per sample: how well a linear model with a Gaussian prior on its
// weights explains the labels, without training it. You, Liu, Wang and Long, "LogME: Practical Assessment of Pre-trained Models for Transfer
// Learning" (2021, arXiv:2102.11005). It is comparable between features of the same samples only; higher is better.
//
// features has a row for each label. Every class is regressed on its own, with targets 0 and 1, and the mean over the classes is
// returned. Features that are all zero explain nothing, and give an error.
func LogME(features [][]float32, labels []int, classes int) (float64, error) {
	n := len(features)
	if n < 2 || len(labels) != n || classes < 2 {
		return 0, fmt.Errorf("LogME of %d samples with %d labels of %d classes, wanted at least two of each", n, len(labels), classes)
	}
	s, err := decompose(features)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	z := make([]float64, len(s.sigma2))
	for class := range classes {
		members := 0
		clear(z)
		for i, label := range labels {
			if label != class {
				continue
			}
			members++
			for k := range z {
				z[k] += s.left.At(i, k)
			}
		}
		for k := range z {
			z[k] *= z[k]
		}
		sum += s.evidence(z, float64(members))
	}
	return sum / float64(classes), nil
}

// spectrum is the singular value decomposition of a matrix of features F (N, D), as far as LogME needs it.
type spectrum struct {
	n, d   int
	sigma2 []float64  // squares of the singular values that are not zero, r of them
	left   *mat.Dense // (N, r), the left singular vectors
}

// decompose finds the spectrum from the smaller of F Fᵀ and Fᵀ F. That loses singular values below 1e-8 of the largest, which explain nothing.
func decompose(features [][]float32) (*spectrum, error) {
	n, d := len(features), len(features[0])
	f := mat.NewDense(n, d, nil)
	for i, row := range features {
		if len(row) != d {
			return nil, fmt.Errorf("LogME: %d features in sample %d, %d in sample 0", len(row), i, d)
		}
		for j, v := range row {
			f.Set(i, j, float64(v))
		}
	}
	var gram mat.SymDense
	if n <= d {
		gram.SymOuterK(1, f)
	} else {
		gram.SymOuterK(1, f.T())
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(&gram, true) {
		return nil, errors.New("LogME: the features have no eigenvalue decomposition: some are not finite")
	}
	values := eigen.Values(nil)
	largest := values[len(values)-1]
	if !(largest > 0) {
		return nil, errors.New("LogME: all features are zero, or some are not finite")
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	first := 0 // of the eigenvalues, which ascend, that count
	for values[first] <= 1e-14*largest {
		first++
	}
	kept := vectors.Slice(0, len(values), first, len(values))
	s := &spectrum{n: n, d: d, sigma2: values[first:], left: new(mat.Dense)}
	if n <= d {
		s.left.CloneFrom(kept)
		return s, nil
	}
	s.left.Mul(f, kept) // U = F V / sigma
	for k, v := range s.sigma2 {
		for i := range n {
			s.left.Set(i, k, s.left.At(i, k)/math.Sqrt(v))
		}
	}
	return s, nil
}

// evidence maximises the evidence of targets y over the precisions alpha of the weights and beta of the noise, by the fixed-point iteration of the
// paper's algorithm 1, and returns its logarithm per sample. z2 holds the squares of the projections of y on the left singular vectors,
// y2 the squared length of y.
func (s *spectrum) evidence(z2 []float64, y2 float64) float64 {
	n, d := float64(s.n), float64(s.d)
	rest := y2 // the part of y that no weights explain
	for _, z := range z2 {
		rest -= z
	}
	rest = max(rest, 0)
	alpha, beta := 1.0, 1.0
	var m2, residual float64
	moments := func() (gamma float64) {
		m2, residual = 0, rest
		for k, v := range s.sigma2 {
			t := alpha/beta + v
			m2 += v * z2[k] / (t * t)
			residual += z2[k] * (alpha / beta) * (alpha / beta) / (t * t)
			gamma += v / t
		}
		return gamma
	}
	for range 100 {
		gamma := moments()
		before := alpha / beta
		alpha = gamma / (m2 + 1e-12)
		beta = (n - gamma) / (residual + 1e-12)
		if math.Abs(alpha/beta-before) <= 1e-5*before {
			break
		}
	}
	moments()
	logDet := (d - float64(len(s.sigma2))) * math.Log(alpha)
	for _, v := range s.sigma2 {
		logDet += math.Log(alpha + beta*v)
	}
	return (n*math.Log(beta) + d*math.Log(alpha) - n*math.Log(2*math.Pi) - beta*residual - alpha*m2 - logDet) / (2 * n)
}
