package transfer

import (
	"fmt"
	"math"
)

// The bounds between which Choose decides. Few images are too few to move the layers of a trunk without learning them by heart; features separate
// classes if their means alone do.
const (
	FewImages = 200 // of each class
	Separates = 0.6
)

// Choose returns the strategy for a data set of so many images of each class, whose classes the pretrained features separate so well (see
// Separation), and the reason in words. It is the usual rule of two questions: how much data, and how far from the source's.
// The source data itself is not there to be compared with; how well its features serve says what the distance would.
func Choose(perClass int, separation float64) (Strategy, string) {
	few, near := perClass < FewImages, separation >= Separates
	data := fmt.Sprintf("%d images of each class are %s %d, and the pretrained features separate the classes by %.2f (0: not at all, 1: all)",
		perClass, map[bool]string{true: "fewer than", false: "at least"}[few], FewImages, separation)
	switch {
	case few && near:
		return Strategy{Kind: Head}, data + ": the features serve as they are, and there is little to improve them with"
	case few:
		return Strategy{Kind: Gradual}, data + ": the deeper layers must change, and there is little to change them with, so they thaw one stage at a time"
	case near:
		return Strategy{Kind: Full}, data + ": the features serve, and there is enough to improve them with"
	}
	return Strategy{Kind: Full}, data + ": the features must change, and there is enough to change them with"
}

// Separation measures how well features tell classes apart without any training: the share of samples that lie nearest to the mean of their own
// class, the sample itself left out of it, on a scale on which guessing is 0 and no mistake 1. features has a row of equal length for
// each label. Every value is divided by its standard deviation first, so that no loud channel drowns the others.
func Separation(features [][]float32, labels []int, classes int) float64 {
	if len(features) == 0 || classes < 2 {
		return 0
	}
	n := len(features[0])
	scale := inverseDeviation(features)
	sums, count := make([][]float64, classes), make([]int, classes)
	for c := range sums {
		sums[c] = make([]float64, n)
	}
	for i, row := range features {
		count[labels[i]]++
		for j, v := range row {
			sums[labels[i]][j] += float64(v) * scale[j]
		}
	}
	right, all := 0, 0
	for i, row := range features {
		own := labels[i]
		if count[own] < 2 {
			continue // there is no mean without it
		}
		best, nearest := math.Inf(1), -1
		for c := range sums {
			m, in := float64(count[c]), 0.0
			if c == own {
				m, in = m-1, 1
			}
			if m == 0 {
				continue
			}
			d := 0.0
			for j, v := range row {
				x := float64(v) * scale[j]
				e := x - (sums[c][j]-in*x)/m
				d += e * e
			}
			if d < best {
				best, nearest = d, c
			}
		}
		all++
		if nearest == own {
			right++
		}
	}
	if all == 0 {
		return 0
	}
	chance := 1 / float64(classes)
	return max((float64(right)/float64(all)-chance)/(1-chance), 0)
}

// inverseDeviation returns the factor by which each column is brought to unit variance; 0 for a constant one.
func inverseDeviation(rows [][]float32) []float64 {
	n := len(rows[0])
	sum, square := make([]float64, n), make([]float64, n)
	for _, row := range rows {
		for j, v := range row {
			sum[j] += float64(v)
			square[j] += float64(v) * float64(v)
		}
	}
	m := float64(len(rows))
	for j := range sum {
		mean := sum[j] / m
		if v := square[j]/m - mean*mean; v > 1e-12*square[j]/m {
			sum[j] = 1 / math.Sqrt(v)
		} else {
			sum[j] = 0
		}
	}
	return sum
}
