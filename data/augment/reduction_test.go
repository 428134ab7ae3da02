package augment

import (
	"errors"
	"math"
	"testing"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/philox"
)

func TestReduction(t *testing.T) {
	norm := Normalize{Mean: []float64{0, 0, 0}, Std: []float64{1, 1, 1}, Scale: 1}
	grey := Normalize{Mean: []float64{0}, Std: []float64{1}, Scale: 1}
	pipeline := func(channels int, norm Normalize, ts ...Transform) *Pipeline {
		p, err := NewPipeline(224, 224, channels, norm, RandomErasing{}, ts...)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	evaluation := []Transform{Resize{H: 256, W: 256, Cover: true}, CenterCrop{224, 224}}
	for _, c := range []struct {
		name string
		p    *Pipeline
		w, h int
		want int
	}{
		{"short side a little below 4 times 256", pipeline(3, norm, evaluation...), 3000, 1023, 1},
		{"4 times 256", pipeline(3, norm, evaluation...), 1024, 3000, 2},
		{"12 megapixels", pipeline(3, norm, evaluation...), 4032, 3024, 4},
		{"16 times 256", pipeline(3, norm, evaluation...), 4096, 4096, 8},
		{"grey", pipeline(1, grey, append([]Transform{Grayscale{}}, evaluation...)...), 4096, 4096, 8},
		{"larger than 1/8 could be", pipeline(3, norm, evaluation...), 60000, 60000, 8},
		{"smaller than the input", pipeline(3, norm, evaluation...), 100, 100, 1},
		{"exact: the shorter side counts", pipeline(3, norm, Resize{H: 224, W: 224}), 5000, 900, 2},
		{"a crop first", pipeline(3, norm, RandomCrop{H: 224, W: 224}), 4096, 4096, 1},
		{"a flip first", pipeline(3, norm, RandomHorizontalFlip{0.5}, Resize{H: 224, W: 224}), 4096, 4096, 1},
		{"nearest pixels", pipeline(3, norm, Resize{H: 224, W: 224, Interpolation: Nearest}), 4096, 4096, 1},
		{"nothing at all", pipeline(3, norm), 4096, 4096, 1},
	} {
		if got := c.p.Reduction(philox.Stream{}, c.w, c.h); got != c.want {
			t.Errorf("%s, %d x %d: 1/%d, want 1/%d", c.name, c.w, c.h, got, c.want)
		}
	}
}

// A crop is drawn in advance, as Apply will draw it.
func TestReductionOfCrops(t *testing.T) {
	crop := RandomResizedCrop{H: 100, W: 100, Scale: [2]float64{0.08, 1}, Ratio: [2]float64{0.75, 4. / 3}}
	p, err := NewPipeline(100, 100, 1, Normalize{Mean: []float64{0}, Std: []float64{1}, Scale: 1}, RandomErasing{}, Grayscale{}, crop)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]int{}
	for i := range 300 {
		part := crop.draw(stream(i), 900, 1000).Size()
		least := min(part.X, part.Y)
		want := 1
		for _, n := range []int{2, 4, 8} {
			if least >= 2*n*100 {
				want = n
			}
		}
		if got := p.Reduction(*stream(i), 900, 1000); got != want {
			t.Errorf("a crop of %v may be reduced to 1/%d, want 1/%d", part, got, want)
		}
		seen[want]++
	}
	if len(seen) != 3 { // 8 would take a crop of 1600
		t.Errorf("only the reductions %v were seen", seen)
	}
}

// A draft gives nearly the result of the whole picture, and draws the same random numbers, also where its last pixels stand for fewer than the others. The
// picture has amplitudes that fall with the frequency, as in photographs, and the draft is made of means; what a decoder's DCT adds is small beside it.
func TestDraftGivesNearlyTheSame(t *testing.T) {
	const width, height, n = 1021, 763, 4
	whole := fixtureImage{H: height, W: width, C: 3, Pix: make([]byte, 3*width*height)}
	for i := range whole.Pix {
		x, y, c := i/3%width, i/3/width, i%3
		v := 128.0
		for f := 1; f < 256; f *= 2 {
			v += 25 / math.Sqrt(float64(f)) * math.Sin(2*math.Pi*float64(f)*float64(x+y/2)/width+float64(f+c))
		}
		whole.Pix[i] = uint8(min(max(v, 0), 255))
	}
	draft := fixtureImage{H: (height + n - 1) / n, W: (width + n - 1) / n, C: 3}
	draft.Pix = make([]byte, 3*draft.W*draft.H)
	for i := range draft.Pix {
		x, y, c := i/3%draft.W*n, i/3/draft.W*n, i%3
		sum, count := 0, 0
		for yy := y; yy < min(y+n, height); yy++ {
			for xx := x; xx < min(x+n, width); xx++ {
				sum += int(whole.Pix[(yy*width+xx)*3+c])
				count++
			}
		}
		draft.Pix[i] = uint8((sum + count/2) / count)
	}
	const side = 80
	for _, ip := range []Interpolation{Bilinear, Bicubic} {
		for name, ts := range map[string][]Transform{
			"evaluation": {Resize{H: side + 10, W: side + 10, Cover: true, Interpolation: ip}, CenterCrop{side, side}},
			"exact":      {Resize{H: side, W: side, Interpolation: ip}},
			"grey":       {Grayscale{}, Resize{H: side, W: side, Interpolation: ip}, ToRGB{}},
			"training":   {RandomResizedCrop{H: side, W: side, Scale: [2]float64{0.75, 1}, Ratio: [2]float64{0.9, 1.2}, Interpolation: ip}, RandomHorizontalFlip{0.5}},
		} {
			p, err := NewPipeline(side, side, 3, Normalize{Mean: []float64{0, 0, 0}, Std: []float64{1, 1, 1}, Scale: 255}, RandomErasing{}, ts...)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 5 {
				if got := p.Reduction(*stream(i), width, height); got != n {
					t.Fatalf("%s: the reduction is 1/%d, want 1/%d", name, got, n)
				}
				var a, b Work
				load(&a, whole)
				load(&b, draft)
				b.Image().Draft = data.Draft{W: width, H: height, N: n}
				want, got := make([]float32, p.Len()), make([]float32, p.Len())
				r, s := stream(i), stream(i)
				if err := errors.Join(p.Apply(r, &a, want), p.Apply(s, &b, got)); err != nil {
					t.Fatal(err)
				}
				if r.Uint64() != s.Uint64() {
					t.Errorf("%s: the draft draws other random numbers", name)
				}
				sum := 0.0
				for k, v := range want {
					sum += math.Abs(float64(v - got[k]))
				}
				if mean := sum / float64(p.Len()); mean > 1 {
					t.Errorf("%s, %s: the result differs by %.2f levels on average, want at most 1", name, ip, mean)
				}
			}
		}
	}
}
