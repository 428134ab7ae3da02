package augment

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/philox"
)

func TestParseAutoAugment(t *testing.T) {
	rand := RandAugment{N: 2, P: 0.5, Magnitude: 10, Max: 10}
	with := func(f func(*RandAugment)) Transform { t := rand; f(&t); return t }
	for _, tt := range []struct {
		in   string
		want Transform
	}{
		{"", nil},
		{"trivial", TrivialAugmentWide{}},
		{"ta_wide", TrivialAugmentWide{}},
		{"rand", rand},
		{"rand-m9-n3-mstd0.5", with(func(t *RandAugment) { t.Magnitude, t.N, t.Std = 9, 3, 0.5 })},
		{"rand-mstd0.5-inc1-m15-mmax20", with(func(t *RandAugment) { t.Magnitude, t.Std, t.Increasing, t.Max = 15, 0.5, true, 20 })},
		{"rand-p0.25-inc0", with(func(t *RandAugment) { t.P = 0.25 })},
		{"rand-mstd101", with(func(t *RandAugment) { t.Std = math.Inf(1) })},
		{"rand-mstdinf", with(func(t *RandAugment) { t.Std = math.Inf(1) })},
		{"rand-mstd1-tweights", with(func(t *RandAugment) { t.Std, t.Weights = 1, RandWeighted })},
		{"rand-m7-w0", with(func(t *RandAugment) { t.Magnitude, t.Weights = 7, RandOld })},
	} {
		if got, err := ParseAutoAugment(tt.in); err != nil || got != tt.want {
			t.Errorf("%q: got %+v, %v, want %+v", tt.in, got, err, tt.want)
		}
	}
	for in, part := range map[string]string{
		"random": `"random"`, "rand-": `""`, "rand-m": "a number after m", "rand-mx": `"mx" is unknown`, "rand-n2.5": "whole number after n",
		"rand-n0": "operations", "rand-n1000": "operations", "rand-tweights-n16": "at most 15", "rand-w0-n14": "at most 13", "rand-w1": "w0",
		"rand-m1e9": "unknown", "rand-m1000": "magnitude", "rand-p1.5": "probability", "trivial-m9": `"trivial-m9"`, "original": `"original"`,
		"rand-m9--n2": `""`, "rand-inc": "whole number after inc", "rand-m1.2.3": "a number after m",
	} {
		if got, err := ParseAutoAugment(in); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: got %v, %v, want an ErrConfig with %s", in, got, err, part)
		}
	}
}

// TestRandArguments: the ranges that timm's comments state, at no, half and full magnitude.
func TestRandArguments(t *testing.T) {
	const width, height = 200, 100
	for _, tt := range []struct {
		op         op
		plain, inc [3]float64 // absolute value; distance from 1 for the blends that have a sign
	}{
		{opRotate, [3]float64{0, 15, 30}, [3]float64{0, 15, 30}},
		{opPosterize, [3]float64{0, 2, 4}, [3]float64{4, 2, 0}},
		{opSolarize, [3]float64{0, 128, 256}, [3]float64{256, 128, 0}},
		{opSolarizeAdd, [3]float64{0, 55, 110}, [3]float64{0, 55, 110}},
		{opColor, [3]float64{0.1, 1, 1.9}, [3]float64{0, 0.45, 0.9}},
		{opContrast, [3]float64{0.1, 1, 1.9}, [3]float64{0, 0.45, 0.9}},
		{opBrightness, [3]float64{0.1, 1, 1.9}, [3]float64{0, 0.45, 0.9}},
		{opSharpness, [3]float64{0.1, 1, 1.9}, [3]float64{0, 0.45, 0.9}},
		{opShearX, [3]float64{0, 0.15, 0.3}, [3]float64{0, 0.15, 0.3}},
		{opShearY, [3]float64{0, 0.15, 0.3}, [3]float64{0, 0.15, 0.3}},
		{opTranslateX, [3]float64{0, 45, 90}, [3]float64{0, 45, 90}},
		{opTranslateY, [3]float64{0, 22.5, 45}, [3]float64{0, 22.5, 45}},
	} {
		o := &randOps[slices.IndexFunc(randOps, func(o randOp) bool { return o.op == tt.op })]
		for i, m := range []float64{0, 5, 10} {
			for _, inc := range []bool{false, true} {
				want := tt.plain[i]
				if inc {
					want = tt.inc[i]
				}
				signs := map[bool]bool{}
				for k := range 20 {
					got := o.argument(m, inc, stream(k), width, height)
					if inc && tt.op >= opColor && tt.op <= opSharpness {
						got--
					}
					signs[got < 0] = true
					if math.Abs(math.Abs(got)-want) > 1e-9 {
						t.Fatalf("%v at %g, increasing %v: got %g, want ±%g", tt.op, m, inc, got, want)
					}
				}
				signed := want != 0 && (tt.op == opRotate || tt.op >= opShearX || inc && tt.op >= opColor)
				if (len(signs) == 2) != signed {
					t.Errorf("%v at %g, increasing %v: both signs occur: %v, want %v", tt.op, m, inc, len(signs) == 2, signed)
				}
			}
		}
	}
}

func TestRandChoices(t *testing.T) {
	const n = 20000
	for _, weights := range []RandWeights{RandUniform, RandWeighted, RandOld} {
		var count [len(opNames)]float64
		total := 0.0
		for i := range randOps {
			total += randOps[i].weight(weights)
		}
		r := philox.New(3, philox.Test, 0, 0)
		for range n {
			var chosen [len(opNames)]bool
			count[(RandAugment{Weights: weights}).choose(r, &chosen).op]++
		}
		for i := range randOps {
			p := randOps[i].weight(weights) / total
			if got, dev := count[randOps[i].op]/n, math.Sqrt(p*(1-p)/n); math.Abs(got-p) > 4.5*dev {
				t.Errorf("weights %q: %v was chosen with probability %.4f, want %.4f", weights, randOps[i].op, got, p)
			}
		}
		if weights == RandUniform {
			continue
		}
		var chosen [len(opNames)]bool // until none is left
		seen := map[op]bool{}
		for i := range randOps {
			if randOps[i].weight(weights) > 0 {
				seen[(RandAugment{Weights: weights}).choose(r, &chosen).op] = true
			}
		}
		for i := range randOps {
			if seen[randOps[i].op] != (randOps[i].weight(weights) > 0) {
				t.Errorf("weights %q: without repetition, %v was chosen: %v", weights, randOps[i].op, seen[randOps[i].op])
			}
		}
	}
}

func TestRandMagnitude(t *testing.T) {
	const n = 10000
	for _, tt := range []struct{ m, std, top, mean, dev float64 }{
		{6, 0, 10, 6, 0},
		{6, 0.5, 10, 6, 0.5},
		{6, math.Inf(1), 10, 3, 6 / math.Sqrt(12)},
		{15, 0, 10, 10, 0},
		{15, 0, 20, 15, 0},
	} {
		r := philox.New(4, philox.Test, 0, 0)
		var sum, square float64
		for range n {
			v := RandAugment{Magnitude: tt.m, Std: tt.std, Max: tt.top}.magnitude(r)
			if v < 0 || v > tt.top {
				t.Fatalf("%+v gave %g", tt, v)
			}
			sum, square = sum+v, square+v*v
		}
		mean := sum / n
		if dev := math.Sqrt(max(0, square/n-mean*mean)); math.Abs(mean-tt.mean) > 0.06 || math.Abs(dev-tt.dev) > 0.03 {
			t.Errorf("%+v: mean %.3f, deviation %.3f", tt, mean, dev)
		}
	}
}

// TestAutomaticAugmentationOfEverything runs both policies over pictures of every kind, and looks for choices that are never made.
func TestAutomaticAugmentationOfEverything(t *testing.T) {
	f := loadFixtures(t)
	for _, aa := range []string{"trivial", "rand-m9-n2-mstd0.5", "rand-m9-n3-mstd0.5-inc1-p1", "rand-n4-tweights"} {
		for source, picture := range f.Sources {
			tr, err := ParseAutoAugment(aa)
			if err != nil {
				t.Fatal(err)
			}
			var w Work
			results := map[string]int{}
			for i := range 300 {
				load(&w, picture)
				if err := tr.Apply(stream(i), &w); err != nil {
					t.Fatal(err)
				}
				m := w.Image()
				if m.W != picture.W || m.H != picture.H || m.C != picture.C || check(m) != nil {
					t.Fatalf("%s made %dx%dx%d of %s", aa, m.W, m.H, m.C, source)
				}
				results[string(m.Pix)]++
			}
			if least := map[bool]int{true: 5, false: 100}[source == "flat" || source == "small"]; len(results) < least {
				t.Errorf("%s made only %d different pictures of %s", aa, len(results), source)
			}
		}
	}
}

// TestFillHasTheMeansColour: what RandAugment moves into view is the mean in the order of the image's channels.
func TestFillHasTheMeansColour(t *testing.T) {
	c := Default(32, 32, 3)
	c.AutoAugment = "rand"
	got, err := c.autoAugment()
	if err != nil || got.(RandAugment).Fill != [3]uint8{124, 116, 104} {
		t.Errorf("%+v, %v, want a fill of 124, 116, 104", got, err)
	}
	c.Mean, c.BGR, c.Scale255 = []float64{104, 117, 123}, true, true
	got, err = c.autoAugment()
	if err != nil || got.(RandAugment).Fill != [3]uint8{123, 117, 104} {
		t.Errorf("%+v, %v, want a fill of 123, 117, 104", got, err)
	}
}

// TestErasingCount: up to Count rectangles share the area that one would have.
func TestErasingCount(t *testing.T) {
	const h, w = 64, 64
	share := func(count int) float64 {
		erased := 0
		x := make([]float32, h*w)
		for i := range 400 {
			for k := range x {
				x[k] = 100
			}
			e := NewRandomErasing(1, EraseConst)
			e.Count = count
			e.apply(stream(i), x, h, w, 1)
			for _, v := range x {
				if v == 0 {
					erased++
				}
			}
		}
		return float64(erased) / (400 * h * w)
	}
	one, many := share(1), share(5)
	if math.Abs(one-0.17) > 0.02 || many > one || many < 0.7*one { // rectangles overlap
		t.Errorf("one rectangle erases a share of %.3f, up to five %.3f", one, many)
	}
	if s := (RandomErasing{P: 0.5, Count: 3}).String(); s != "RandomErasing(p=0.5, const, up to 3)" {
		t.Error(s)
	}
}
