package loader

import (
	"math"
	"testing"

	"github.com/cnnctl/cnnctl/philox"
)

func TestBetaMoments(t *testing.T) {
	for _, alpha := range []float64{0.1, 0.2, 0.8, 1, 3, 50} {
		r := philox.New(1, philox.Test, int(alpha*10), 0)
		const n = 40000
		var sum, square float64
		for range n {
			x := beta(r, alpha)
			if !(x >= 0 && x <= 1) {
				t.Fatalf("Beta(%g, %g) gave %v", alpha, alpha, x)
			}
			sum += x
			square += (x - 0.5) * (x - 0.5)
		}
		// Variance of Beta(a, a): 1 / (4 (2a + 1)). The standard error of the mean is its root over 200.
		want := 1 / (4 * (2*alpha + 1))
		if mean := sum / n; math.Abs(mean-0.5) > 4*math.Sqrt(want/n) {
			t.Errorf("alpha %g: mean %.4f, want 0.5", alpha, mean)
		}
		if got := square / n; math.Abs(got/want-1) > 0.04 {
			t.Errorf("alpha %g: variance %.5f, want %.5f", alpha, got, want)
		}
	}
	r := philox.New(1, philox.Test, 0, 0)
	for range 1000 {
		if x := beta(r, 1e-4); !(x >= 0 && x <= 1) {
			t.Fatalf("Beta(1e-4, 1e-4) gave %v", x)
		}
	}
}

// mixable returns n samples of h x w x 2 whose every value is the sample's number, counted from 1, and whose classes
// all differ.
func mixable(n, size, h, w int) *Batch {
	b := newBatch(size, h*w*2, size, false)
	b.reset(0, n)
	for i := range n {
		for k := range h * w * 2 {
			b.X[i*h*w*2+k] = float32(i + 1)
		}
		b.T[i*size+i] = 1
	}
	return b
}

// TestMixedImagesMatchTheirTargets: with constant images, the mean of a mixed image says how much of each partner is in
// it, and the target must say the same, for MixUp and for CutMix.
func TestMixedImagesMatchTheirTargets(t *testing.T) {
	const h, w, size = 10, 6, 8
	for _, m := range []Mix{{MixUp: 0.8, Prob: 1}, {CutMix: 1, Prob: 1}, {MixUp: 1, CutMix: 1, Prob: 1, Switch: 0.5},
		{MixUp: 1, CutMix: 1, Prob: 1, Switch: 0.5, Mode: MixPair}, {MixUp: 1, CutMix: 1, Prob: 1, Switch: 0.5, Mode: MixElem}} {
		for _, n := range []int{1, 2, 5, 8} {
			mixed := false
			for k := range 30 {
				b := mixable(n, size, h, w)
				if !m.apply(philox.New(1, philox.Mix, 0, k), b, h, w, 2) && (n > 1 || m.Mode == "") {
					t.Fatal("not mixed, with probability 1")
				}
				for i := range size {
					x := b.X[i*h*w*2 : (i+1)*h*w*2]
					mean := 0.0
					for _, v := range x {
						mean += float64(v) / float64(len(x))
					}
					expect, total := 0.0, 0.0
					for c := range size {
						expect += float64(b.T[i*size+c]) * float64(c+1)
						total += float64(b.T[i*size+c])
						if v := b.T[i*size+c]; v != 0 && c != i && c != n-1-i {
							t.Fatalf("sample %d of %d has a share of sample %d", i, n, c)
						}
					}
					if math.Abs(mean-expect) > 1e-5 || (i < n && math.Abs(total-1) > 1e-6) || (i >= n && total != 0) {
						t.Fatalf("%+v: sample %d of %d has mean %v and target's mean %v, sum %v", m, i, n, mean, expect, total)
					}
					mixed = mixed || i < n && b.T[i*size+i] < 0.99
				}
			}
			if mixed != (n > 1) {
				t.Errorf("%+v: %d samples were mixed: %v", m, n, mixed)
			}
		}
	}
}

func TestMixProbabilities(t *testing.T) {
	const h, w = 8, 8
	m := Mix{MixUp: 1, CutMix: 1, Prob: 0.6, Switch: 0.25}
	none, cut, blended := 0, 0, 0
	for k := range 1000 {
		b := mixable(2, 2, h, w)
		if !m.apply(philox.New(2, philox.Mix, 0, k), b, h, w, 2) {
			none++
			continue
		}
		whole := true // a cut leaves each value as it was in one of the partners
		for _, v := range b.X {
			whole = whole && (v == 1 || v == 2)
		}
		if whole {
			cut++
		} else {
			blended++
		}
	}
	if none < 350 || none > 450 || cut < 110 || cut > 190 || blended < 390 || blended > 510 {
		t.Errorf("%d not mixed, %d cut, %d blended; want about 400, 150, 450", none, cut, blended)
	}
}

// TestMixModes: how many different choices a batch shows, of which a sample shows one by what it keeps of itself.
func TestMixModes(t *testing.T) {
	const h, w, n = 8, 8, 8
	for _, tt := range []struct {
		mode        MixMode
		pairs, both bool // are the pairs of a batch mixed differently; are the two of a pair
	}{{"", false, false}, {MixBatch, false, false}, {MixPair, true, false}, {MixElem, true, true}} {
		pairs, both, untouched := false, false, 0
		const batches = 100
		for k := range batches {
			b := mixable(n, n, h, w)
			m := Mix{MixUp: 1, CutMix: 1, Prob: 0.7, Switch: 0.5, Mode: tt.mode}
			mixed := m.apply(philox.New(5, philox.Mix, 0, k), b, h, w, 2)
			any := false
			for i := range n {
				kept := b.T[i*n+i]
				pairs = pairs || kept != b.T[0]
				both = both || kept != b.T[(n-1-i)*n+n-1-i]
				any = any || kept != 1
				if kept == 1 {
					untouched++
				}
			}
			if any && !mixed {
				t.Fatalf("mode %q: a batch that was mixed is said not to be", tt.mode)
			}
		}
		if pairs != tt.pairs || both != tt.both {
			t.Errorf("mode %q: pairs differ: %v, the two of a pair differ: %v", tt.mode, pairs, both)
		}
		// Some of those that are mixed keep all of themselves: a box can be empty.
		if share := float64(untouched) / (batches * n); share < 0.25 || share > 0.5 {
			t.Errorf("mode %q: a share of %.2f is as it was, want 0.3 or a little more", tt.mode, share)
		}
	}
	if err := (Mix{Mode: "half"}).validate(); err == nil {
		t.Error("mode half is accepted")
	}
}
