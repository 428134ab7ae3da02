package turbojpeg

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// need skips a test where there is no library.
func need(t testing.TB) {
	t.Helper()
	if err := Load(); err != nil {
		t.Skip(err)
	}
}

// picture is something like a photograph: smooth, with an edge and some grain.
func picture(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	grain := uint32(1)
	for y := range h {
		for x := range w {
			grain = grain*1664525 + 1013904223
			g := int(grain >> 29)
			edge := 0
			if x*h > y*w {
				edge = 60
			}
			m.SetRGBA(x, y, color.RGBA{uint8(20 + 150*x/w + edge + g), uint8(30 + 150*y/h + g), uint8(200 - 120*(x+y)/(w+h) - edge/2 + g), 255})
		}
	}
	return m
}

func encode(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// decode decodes raw at 1/reduction, and checks that nothing beyond the pixels is written.
func decode(t testing.TB, raw []byte, w, h, reduction int) ([]byte, bool) {
	t.Helper()
	n := 3 * Reduced(w, reduction) * Reduced(h, reduction)
	const margin, mark = 4096, 0xa5
	buf := bytes.Repeat([]byte{mark}, margin+n+margin)
	ok := Decode(buf[margin:margin+n:margin+n], raw, w, h, reduction)
	for _, side := range [][]byte{buf[:margin], buf[margin+n:]} {
		if slices.ContainsFunc(side, func(b byte) bool { return b != mark }) {
			t.Fatalf("%d x %d at 1/%d: bytes beside the %d of the picture were written", w, h, reduction, n)
		}
	}
	return buf[margin : margin+n], ok
}

// Grey pictures are those of Go's decoder, but for the rounding of the inverse DCT, at any size.
func TestGrey(t *testing.T) {
	need(t)
	for _, size := range []image.Point{{1, 1}, {3, 5}, {8, 8}, {17, 9}, {160, 120}} {
		src := image.NewGray(image.Rectangle{Max: size})
		draw.Draw(src, src.Rect, picture(size.X, size.Y), image.Point{}, draw.Src)
		raw := encode(t, src)
		m, err := jpeg.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		want := m.(*image.Gray)
		got, ok := decode(t, raw, size.X, size.Y, 1)
		if !ok {
			t.Fatalf("%v: not decoded", size)
		}
		for i, v := range got {
			if d := int(v) - int(want.Pix[i/3/size.X*want.Stride+i/3%size.X]); d < -1 || d > 1 {
				t.Fatalf("%v: byte %d differs from Go's by %d", size, i, d)
			}
		}
	}
}

// A reduced picture is the mean of the squares that its pixels stand for, but for what a DCT that is cut short makes of edges.
func TestReduced(t *testing.T) {
	need(t)
	for _, size := range []image.Point{{161, 123}, {320, 200}} {
		raw := encode(t, picture(size.X, size.Y))
		full, ok := decode(t, raw, size.X, size.Y, 1)
		if !ok {
			t.Fatalf("%v: not decoded", size)
		}
		for _, n := range []int{2, 4, 8} {
			got, ok := decode(t, raw, size.X, size.Y, n)
			if !ok {
				t.Fatalf("%v at 1/%d: not decoded", size, n)
			}
			w, h := size.X/n, size.Y/n // those pixels that stand for whole squares
			sum := 0.0
			for y := range h {
				for x := range w {
					for c := range 3 {
						mean := 0
						for i := range n * n {
							mean += int(full[((y*n+i/n)*size.X+x*n+i%n)*3+c])
						}
						d := float64(got[(y*Reduced(size.X, n)+x)*3+c]) - float64(mean)/float64(n*n)
						sum += max(d, -d)
					}
				}
			}
			if mean := sum / float64(3*w*h); mean > 2 {
				t.Errorf("%v at 1/%d: differs from the means by %.2f levels on average", size, n, mean)
			}
		}
	}
}

// Every size works, the smallest ones included.
func TestSizes(t *testing.T) {
	need(t)
	for w := 1; w <= 18; w++ {
		for h := 1; h <= 18; h++ {
			raw := encode(t, picture(w, h))
			for _, n := range []int{1, 2, 4, 8} {
				if _, ok := decode(t, raw, w, h, n); !ok {
					t.Errorf("%d x %d at 1/%d: not decoded", w, h, n)
				}
			}
		}
	}
}

// What is not whole, or not what the caller expects, is refused.
func TestRefused(t *testing.T) {
	need(t)
	raw := encode(t, picture(40, 30))
	if _, ok := decode(t, raw, 40, 30, 1); !ok {
		t.Fatal("not decoded")
	}
	for n := range raw {
		if _, ok := decode(t, raw[:n], 40, 30, 1); ok {
			t.Errorf("%d of %d bytes are decoded", n, len(raw))
		}
	}
	for _, size := range []image.Point{{39, 30}, {40, 31}, {30, 40}, {80, 60}, {20, 15}} {
		if _, ok := decode(t, raw, size.X, size.Y, 1); ok {
			t.Errorf("a file of 40x30 is decoded as %v", size)
		}
	}
	dst := make([]byte, 3*40*30)
	for _, wrong := range [][]byte{nil, dst[1:], append(dst, 0)} {
		if Decode(wrong, raw, 40, 30, 1) {
			t.Errorf("decoded into %d bytes in place of %d", len(wrong), len(dst))
		}
	}
	if Decode(nil, raw, 0, 30, 1) || Decode(nil, raw, -40, -30, 1) || Decode(dst, raw, 1<<40, 1<<40, 1) {
		t.Error("decoded to a size that is none")
	}
	cmyk, err := os.ReadFile("../testdata/images/jpegcmyk.jpg")
	if err != nil {
		t.Fatal(err)
	}
	c, err := jpeg.DecodeConfig(bytes.NewReader(cmyk))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := decode(t, cmyk, c.Width, c.Height, 1); ok {
		t.Error("CMYK is decoded")
	}
}

// Goroutines do not disturb each other.
func TestConcurrent(t *testing.T) {
	need(t)
	good := encode(t, picture(120, 90))
	want, ok := decode(t, good, 120, 90, 1)
	if !ok {
		t.Fatal("not decoded")
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				if (g+i)%3 == 0 {
					if _, ok := decode(t, good[:len(good)/2], 120, 90, 1); ok {
						t.Error("half a file is decoded")
					}
				} else if got, ok := decode(t, good, 120, 90, 1); !ok || !bytes.Equal(got, want) {
					t.Error("decoded to other pixels beside other goroutines")
				}
			}
		})
	}
	wg.Wait()
}

// No bytes make the library write beyond the picture, or take a file for one of another size.
func FuzzDecode(f *testing.F) {
	need(f)
	files, err := filepath.Glob("../testdata/images/*.jpg")
	if err != nil || len(files) == 0 {
		f.Fatalf("no pictures: %v", err)
	}
	for i, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, uint8(i))
		f.Add(raw[:len(raw)*2/3], uint8(i))
	}
	f.Fuzz(func(t *testing.T, raw []byte, reduction uint8) {
		c, err := jpeg.DecodeConfig(bytes.NewReader(raw))
		if err != nil || c.Width < 1 || c.Height < 1 || c.Width*c.Height > 1<<16 {
			return
		}
		n := 1 << (reduction % 4)
		first, ok := decode(t, raw, c.Width, c.Height, n)
		second, again := decode(t, raw, c.Width, c.Height, n)
		if ok != again || ok && !bytes.Equal(first, second) {
			t.Fatalf("%d x %d at 1/%d: decoded twice, with different results", c.Width, c.Height, n)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	need(b)
	raw := encode(b, picture(500, 375))
	dst := make([]byte, 3*500*375)
	for b.Loop() {
		if !Decode(dst, raw, 500, 375, 1) {
			b.Fatal("not decoded")
		}
	}
}
