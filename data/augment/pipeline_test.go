package augment

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/cnnctl/cnnctl/data"
)

// everything is a configuration in which every step is on.
func everything(h, w, channels int) Config {
	c := Default(h, w, channels)
	c.HFlip, c.VFlip, c.Rotation, c.CropPadding = 0.5, 0.5, 15, 3
	c.ColorJitter = [4]float64{0.4, 0.4, 0.4, 0.1}
	c.AutoAugment = "rand-m9-n3-mstd0.5-inc1"
	c.ReProb, c.ReMode, c.ReCount = 0.5, ErasePixel, 3
	return c
}

// TestPipelinesTakeAnyImage runs every step over images of all kinds of sizes and both channel counts.
func TestPipelinesTakeAnyImage(t *testing.T) {
	sizes := [][2]int{{1, 1}, {1, 700}, {700, 1}, {28, 28}, {33, 31}, {300, 200}}
	var w Work
	for _, c := range []Config{everything(28, 28, 1), everything(32, 24, 3), everything(96, 96, 3), everything(80, 120, 1)} {
		train, err := Train(c)
		if err != nil {
			t.Fatal(err)
		}
		eval, err := Eval(c)
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]float32, train.Len())
		for i, size := range sizes {
			for _, channels := range []int{1, 3} {
				for _, p := range []*Pipeline{train, eval} {
					for k := range dst {
						dst[k] = float32(math.NaN())
					}
					m := w.Image()
					m.Reset(size[0], size[1], channels)
					for k := range m.Pix {
						m.Pix[k] = byte(k * 37)
					}
					if err := p.Apply(stream(i), &w, dst); err != nil {
						t.Fatalf("%v on %v: %v", p, size, err)
					}
					for k, v := range dst {
						if math.IsNaN(float64(v)) || math.Abs(float64(v)) > 20 {
							t.Fatalf("%v on %v: element %d is %v", p, size, k, v)
						}
					}
				}
			}
		}
	}
}

func TestPipelineDependsOnStreamOnly(t *testing.T) {
	p, err := Train(everything(40, 40, 3))
	if err != nil {
		t.Fatal(err)
	}
	f := loadFixtures(t)
	run := func(w *Work, sample int) []float32 {
		load(w, f.Sources["rgb"])
		dst := make([]float32, p.Len())
		if err := p.Apply(stream(sample), w, dst); err != nil {
			t.Fatal(err)
		}
		return dst
	}
	var used Work
	first := run(&used, 0)
	if slices.Equal(first, run(&used, 1)) {
		t.Error("samples 0 and 1 got the same random choices")
	}
	var fresh Work
	if !slices.Equal(first, run(&used, 0)) || !slices.Equal(first, run(&fresh, 0)) {
		t.Error("the same stream gave another result after other samples or in another worker")
	}
}

func TestPipelineAllocatesNothing(t *testing.T) {
	p, err := Train(everything(96, 96, 3))
	if err != nil {
		t.Fatal(err)
	}
	src := fixtureImage{H: 120, W: 160, C: 3, Pix: make([]byte, 120*160*3)}
	var w Work
	dst := make([]float32, p.Len())
	r := stream(0)
	step := func() {
		load(&w, src)
		if err := p.Apply(r, &w, dst); err != nil {
			t.Fatal(err)
		}
	}
	for range 60 { // the buffers grow to what the largest crop needs
		step()
	}
	if n := testing.AllocsPerRun(20, step); n > 0.2 {
		t.Errorf("%v allocations per sample, want 0", n)
	}
}

// TestLongThinImage: an image of one column passes the reader's limit on pixels, and its short side resized to the
// network's size would need gigabytes, although only the centre is used.
func TestLongThinImage(t *testing.T) {
	var w Work
	p, err := Eval(Default(224, 224, 3))
	if err != nil {
		t.Fatal(err)
	}
	w.Image().Reset(1, 60000, 3)
	if err := p.Apply(nil, &w, make([]float32, p.Len())); err != nil {
		t.Fatal(err)
	}
	if n := cap(w.rows) + cap(w.buf[0].Pix) + cap(w.buf[1].Pix); n > 1<<20 {
		t.Errorf("%d bytes of buffers", n)
	}
	w.Image().Reset(1, 60000, 3)
	err = Resize{H: 256, W: 256, Cover: true}.Apply(nil, &w)
	if !errors.Is(err, ErrSize) {
		t.Errorf("a resize to 256x15360000 gave %v, want ErrSize", err)
	}
}

func TestFuseKeepsPixels(t *testing.T) {
	f := loadFixtures(t)
	for _, n := range []int{5, 13, 20, 31, 60} {
		for _, crop := range []CenterCrop{{4, 4}, {13, 9}, {20, 27}, {40, 70}} {
			var a, b Work
			load(&a, f.Sources["rgb"])
			load(&b, f.Sources["rgb"])
			r := Resize{H: n, W: n, Cover: true, Interpolation: Bicubic}
			for _, tr := range []Transform{r, crop} {
				if err := tr.Apply(nil, &a); err != nil {
					t.Fatal(err)
				}
			}
			if err := (resizeCrop{r, crop}).Apply(nil, &b); err != nil {
				t.Fatal(err)
			}
			m := a.Image()
			compare(t, b.Image(), fixtureImage{m.H, m.W, m.C, m.Pix})
		}
	}
}

func TestCaffeOrder(t *testing.T) {
	p, err := NewPipeline(1, 1, 3, Normalize{Mean: []float64{104, 117, 123}, Std: []float64{1, 1, 1}, Scale: 255, BGR: true}, RandomErasing{})
	if err != nil {
		t.Fatal(err)
	}
	var w Work
	load(&w, fixtureImage{1, 1, 3, []byte{10, 20, 30}}) // RGB
	dst := make([]float32, 3)
	if err := p.Apply(nil, &w, dst); err != nil {
		t.Fatal(err)
	}
	if want := []float32{30 - 104, 20 - 117, 10 - 123}; !slices.Equal(dst, want) {
		t.Errorf("got %v, want %v", dst, want)
	}
	var m data.Image
	if err := p.Invert(&m, dst); err != nil || !slices.Equal(m.Pix, []byte{10, 20, 30}) {
		t.Errorf("Invert gave %v, %v", m.Pix, err)
	}
}

func TestInvertRestoresBytes(t *testing.T) {
	f := loadFixtures(t)
	for _, channels := range []int{1, 3} {
		src := f.Sources[map[int]string{1: "grey", 3: "rgb"}[channels]]
		c := Default(src.H, src.W, channels)
		p, err := Eval(c)
		if err != nil {
			t.Fatal(err)
		}
		var w Work
		load(&w, src)
		x := make([]float32, p.Len())
		if err := p.Apply(nil, &w, x); err != nil {
			t.Fatal(err)
		}
		var m data.Image
		if err := p.Invert(&m, x); err != nil {
			t.Fatal(err)
		}
		compare(t, &m, src)
	}
}

func TestApplyRejects(t *testing.T) {
	p, err := NewPipeline(4, 4, 1, Normalize{Mean: []float64{0}, Std: []float64{1}, Scale: 1}, RandomErasing{})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		m    data.Image
		n    int
	}{
		{"wrong size", data.Image{W: 5, H: 4, C: 1, Pix: make([]byte, 20)}, 16},
		{"wrong destination", data.Image{W: 4, H: 4, C: 1, Pix: make([]byte, 16)}, 15},
		{"no image", data.Image{}, 16},
		{"short pixels", data.Image{W: 4, H: 4, C: 1, Pix: make([]byte, 15)}, 16},
		{"two channels", data.Image{W: 4, H: 4, C: 2, Pix: make([]byte, 32)}, 16},
	}
	for _, tt := range tests {
		var w Work
		*w.Image() = tt.m
		if err := p.Apply(nil, &w, make([]float32, tt.n)); !errors.Is(err, ErrSize) {
			t.Errorf("%s: got %v, want ErrSize", tt.name, err)
		}
	}
}

func BenchmarkPipeline(b *testing.B) {
	benchmarks := []struct {
		name          string
		c             Config
		w, h, channel int
	}{
		{"digits", Default(28, 28, 1), 28, 28, 1},
		{"cifar", Default(32, 32, 3), 32, 32, 3},
		{"photo", Default(224, 224, 3), 500, 375, 3},
	}
	for _, bm := range benchmarks {
		for name, build := range map[string]func(Config) (*Pipeline, error){"train": Train, "eval": Eval} {
			b.Run(bm.name+"/"+name, func(b *testing.B) {
				p, err := build(bm.c)
				if err != nil {
					b.Fatal(err)
				}
				src := fixtureImage{bm.h, bm.w, bm.channel, make([]byte, bm.h*bm.w*bm.channel)}
				var w Work
				dst := make([]float32, p.Len())
				r := stream(0)
				b.ReportAllocs()
				for b.Loop() {
					load(&w, src)
					if err := p.Apply(r, &w, dst); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
