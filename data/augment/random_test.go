package augment

import (
	"image"
	"math"
	"testing"

	"github.com/cnnctl/cnnctl/philox"
)

// stream returns the i-th stream of the tests.
func stream(i int) *philox.Stream { return philox.New(7, philox.Augment, 0, i) }

// numbered returns a grey image whose pixels all differ.
func numbered(w, h int) fixtureImage {
	m := fixtureImage{H: h, W: w, C: 1, Pix: make([]byte, w*h)}
	for i := range m.Pix {
		m.Pix[i] = byte(i + 1)
	}
	return m
}

func TestRandomCropReachesEveryOffset(t *testing.T) {
	var w Work
	seen := map[byte]int{}
	for i := range 3000 {
		load(&w, numbered(5, 5))
		if err := (RandomCrop{H: 5, W: 5, Padding: 2}).Apply(stream(i), &w); err != nil {
			t.Fatal(err)
		}
		seen[w.Image().Pix[2*5+2]]++ // which pixel came to the middle
	}
	for v := 1; v <= 25; v++ {
		if n := seen[byte(v)]; n < 80 || n > 160 { // 120 expected, standard deviation 11
			t.Errorf("pixel %d was in the middle %d times, want about 120", v, n)
		}
	}
}

func TestRandomCropPadsSmallImages(t *testing.T) {
	var w Work
	for i := range 50 {
		load(&w, numbered(3, 9))
		if err := (RandomCrop{H: 8, W: 8}).Apply(stream(i), &w); err != nil {
			t.Fatal(err)
		}
		m := w.Image()
		filled := 0
		for _, v := range m.Pix {
			if v != 0 {
				filled++
			}
		}
		if m.W != 8 || m.H != 8 || filled != 3*8 {
			t.Fatalf("%dx%d with %d pixels of the image, want 8x8 with 24", m.W, m.H, filled)
		}
	}
}

func TestRandomResizedCropDraw(t *testing.T) {
	tr := RandomResizedCrop{H: 8, W: 8, Scale: [2]float64{0.08, 1}, Ratio: [2]float64{3.0 / 4, 4.0 / 3}}
	mean := 0.0
	const n = 2000
	for i := range n {
		r := tr.draw(stream(i), 300, 200)
		if !r.In(image.Rect(0, 0, 300, 200)) || r.Empty() {
			t.Fatalf("draw %d: %v is not inside a 300x200 image", i, r)
		}
		if ratio := float64(r.Dx()) / float64(r.Dy()); ratio < 0.73 || ratio > 1.37 {
			t.Fatalf("draw %d: aspect ratio %.3f", i, ratio)
		}
		mean += float64(r.Dx()*r.Dy()) / (300 * 200) / n
	}
	// Expected: the share of accepted draws, integrated over the ratio's logarithm. A crop fits a 300x200 image where
	// share*ratio <= 300/200 and share/ratio <= 200/300.
	var weight, moment float64
	for k := range 1000 {
		ratio := math.Pow(4.0/3, (float64(k)+0.5)/500-1)
		top := min(1, 1.5/ratio, ratio/1.5)
		weight += top - 0.08
		moment += (top*top - 0.08*0.08) / 2
	}
	if want := moment / weight; math.Abs(mean-want) > 0.02 { // standard error 0.004
		t.Errorf("the mean share of the area is %.3f, want %.3f", mean, want)
	}
	for _, size := range []image.Point{{1, 1}, {1, 5000}, {5000, 1}, {2, 3}} {
		for i := range 20 {
			if r := tr.draw(stream(i), size.X, size.Y); r.Empty() || !r.In(image.Rectangle{Max: size}) {
				t.Errorf("%v is not inside a %v image", r, size)
			}
		}
	}
}

func TestFlipProbability(t *testing.T) {
	var w Work
	flipped := 0
	for i := range 2000 {
		load(&w, numbered(3, 1))
		if err := (RandomHorizontalFlip{0.3}).Apply(stream(i), &w); err != nil {
			t.Fatal(err)
		}
		if w.Image().Pix[0] == 3 {
			flipped++
		}
	}
	if flipped < 520 || flipped > 680 { // standard deviation 20
		t.Errorf("flipped %d of 2000 with p = 0.3", flipped)
	}
}

func TestColorJitterLeavesZeroAlone(t *testing.T) {
	f := loadFixtures(t)
	var w Work
	for i := range 10 {
		load(&w, f.Sources["rgb"])
		if err := (ColorJitter{}).Apply(stream(i), &w); err != nil {
			t.Fatal(err)
		}
		compare(t, w.Image(), f.Sources["rgb"])
	}
}

func TestColorJitterDraw(t *testing.T) {
	tr := ColorJitter{Brightness: 0.4, Contrast: 2, Saturation: 0.1, Hue: 0.25}
	orders := map[[4]int]int{}
	lo, hi := tr.draw(stream(0)), tr.draw(stream(0))
	for i := range 2400 {
		j := tr.draw(stream(i))
		orders[j.order]++
		lo.brightness, hi.brightness = min(lo.brightness, j.brightness), max(hi.brightness, j.brightness)
		lo.contrast, hi.contrast = min(lo.contrast, j.contrast), max(hi.contrast, j.contrast)
		lo.saturation, hi.saturation = min(lo.saturation, j.saturation), max(hi.saturation, j.saturation)
		lo.hue, hi.hue = min(lo.hue, j.hue), max(hi.hue, j.hue)
	}
	if len(orders) != 24 {
		t.Errorf("%d of 24 orders occurred", len(orders))
	}
	for _, tt := range []struct {
		name             string
		lo, hi           float64
		wantLow, wantTop float64
	}{
		{"brightness", lo.brightness, hi.brightness, 0.6, 1.4},
		{"contrast", lo.contrast, hi.contrast, 0, 3},
		{"saturation", lo.saturation, hi.saturation, 0.9, 1.1},
		{"hue", lo.hue, hi.hue, -0.25, 0.25},
	} {
		slack := (tt.wantTop - tt.wantLow) / 100
		if tt.lo < tt.wantLow || tt.hi > tt.wantTop || tt.lo > tt.wantLow+slack || tt.hi < tt.wantTop-slack {
			t.Errorf("%s: drawn from %.3f to %.3f, want %.3f to %.3f", tt.name, tt.lo, tt.hi, tt.wantLow, tt.wantTop)
		}
	}
}

func TestRotationKeepsCentreAndFillsCorners(t *testing.T) {
	var w Work
	corners := 0
	for i := range 200 {
		m := fixtureImage{H: 15, W: 15, C: 1, Pix: make([]byte, 225)}
		for k := range m.Pix {
			m.Pix[k] = 200
		}
		load(&w, m)
		if err := (RandomRotation{Degrees: 45, Fill: 3}).Apply(stream(i), &w); err != nil {
			t.Fatal(err)
		}
		if p := w.Image().Pix; p[7*15+7] != 200 {
			t.Fatalf("the centre became %d", p[7*15+7])
		} else if p[0] == 3 {
			corners++
		}
	}
	if corners < 100 {
		t.Errorf("a corner was rotated out in %d of 200 rotations by up to 45 degrees", corners)
	}
}

func TestRandomAffineMoves(t *testing.T) {
	var w Work
	var left, right int
	for i := range 200 {
		m := fixtureImage{H: 21, W: 21, C: 1, Pix: make([]byte, 441)}
		m.Pix[10*21+10] = 255
		load(&w, m)
		if err := (RandomAffine{Translate: [2]float64{0.2, 0}, Interpolation: Nearest}).Apply(stream(i), &w); err != nil {
			t.Fatal(err)
		}
		at := -1
		for k, v := range w.Image().Pix {
			if v == 255 {
				at = k
			}
		}
		dx := at - (10*21 + 10)
		if at < 0 || dx < -4 || dx > 4 {
			t.Fatalf("the point moved by %d pixels (or out), want -4 to 4 in its row", dx)
		}
		if dx < 0 {
			left++
		} else if dx > 0 {
			right++
		}
	}
	if left < 50 || right < 50 {
		t.Errorf("%d moves to the left and %d to the right of 200", left, right)
	}
}

func TestRandomErasing(t *testing.T) {
	const h, w, c = 32, 24, 3
	for _, mode := range []EraseMode{"", EraseConst, EraseRand, ErasePixel} {
		erased, area := 0, 0.0
		x := make([]float32, h*w*c)
		for i := range 400 {
			for k := range x {
				x[k] = 100
			}
			NewRandomErasing(0.25, mode).apply(stream(i), x, h, w, c)
			n, zeros, distinct := 0, 0, map[float32]bool{}
			for _, v := range x {
				if v != 100 {
					n++
					distinct[v] = true
				}
				if v == 0 {
					zeros++
				}
			}
			if n == 0 {
				continue
			}
			erased++
			area += float64(n) / (h * w * c)
			want := map[EraseMode]bool{"": zeros == n, EraseConst: zeros == n, EraseRand: len(distinct) == c, ErasePixel: len(distinct) > n/2}
			if !want[mode] {
				t.Fatalf("mode %q: %d elements, %d zeros, %d distinct values", mode, n, zeros, len(distinct))
			}
		}
		if erased < 60 || erased > 140 {
			t.Errorf("mode %q: erased %d of 400 with p = 0.25", mode, erased)
		}
		if mean := area / float64(erased); math.Abs(mean-0.17) > 0.04 {
			t.Errorf("mode %q: the mean share of the area is %.3f, want about 0.17", mode, mean)
		}
	}
}
