package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// fixtures returns the files of testdata/images, less those that hold expected pixels.
func fixtures(t testing.TB) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/images/*")
	if err != nil || len(all) < 60 {
		t.Fatalf("testdata/images holds %d files (%v), want at least 60", len(all), err)
	}
	var files []string
	for _, f := range all {
		if !strings.HasSuffix(f, ".want.png") {
			files = append(files, f)
		}
	}
	return files
}

// Pictures have the pixels of PIL. Lossless formats agree exactly, and so do JPEG files where libjpeg-turbo, which PIL uses, decodes them; Go's inverse
// DCT, and its conversion of WebP to RGB, may round differently.
func TestDecodeEqualsPIL(t *testing.T) {
	t.Run("go", func(t *testing.T) { testEqualsPIL(t, JPEGGo) })
	t.Run("turbo", func(t *testing.T) {
		needTurbo(t)
		testEqualsPIL(t, JPEGTurbo)
	})
}

func testEqualsPIL(t *testing.T, j JPEG) {
	tolerance := func(name string) int {
		switch {
		case j == JPEGTurbo && strings.HasSuffix(name, ".jpg") && name != "jpegcmyk.jpg":
			return 0
		case strings.HasPrefix(name, "jpeg"), strings.HasPrefix(name, "exif"):
			return 3
		case name == "webp.webp", name == "webpalpha.webp":
			return 3
		}
		return 0
	}
	for _, file := range fixtures(t) {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var m Image
			if err := (Decoder{MaxPixels: 1 << 20, JPEG: j}).Decode(raw, &m, nil); err != nil {
				t.Fatal(err)
			}
			base, _, _ := strings.Cut(file, ".")
			wantFile, err := os.Open(base + ".want.png")
			if err != nil {
				t.Fatal(err)
			}
			defer wantFile.Close()
			want, err := png.Decode(wantFile)
			if err != nil {
				t.Fatal(err)
			}
			if w, h := want.Bounds().Dx(), want.Bounds().Dy(); m.W != w || m.H != h || m.C != 3 {
				t.Fatalf("got %d x %d x %d, want %d x %d x 3", m.W, m.H, m.C, w, h)
			}
			worst, at := 0, image.Point{}
			for y := range m.H {
				for x := range m.W {
					r, g, b, _ := want.At(x, y).RGBA()
					for ch, v := range []uint32{r, g, b} {
						d := int(m.Pix[(y*m.W+x)*3+ch]) - int(v>>8)
						if d = max(d, -d); d > worst {
							worst, at = d, image.Pt(x, y)
						}
					}
				}
			}
			if worst > tolerance(name) {
				t.Errorf("differs from PIL by %d at %v, want at most %d", worst, at, tolerance(name))
			}
		})
	}
}

// Every type of image that a decoder may return gives the same RGB through its own loop as through the general one.
func TestDrawTypes(t *testing.T) {
	const w, h = 7, 5
	r := image.Rect(0, 0, w, h)
	fill := func(pix []uint8) {
		for i := range pix {
			pix[i] = uint8(i*37 + i*i*11)
		}
	}
	opaqueEvery := func(pix []uint8, step, size int) {
		for i := step - size; i < len(pix); i += step {
			for k := range size {
				pix[i+k] = 255
			}
		}
	}
	gray, gray16 := image.NewGray(r), image.NewGray16(r)
	rgba, nrgba := image.NewRGBA(r), image.NewNRGBA(r)
	rgba64, nrgba64 := image.NewRGBA64(r), image.NewNRGBA64(r)
	cmyk := image.NewCMYK(r)
	pal := image.NewPaletted(r, color.Palette{color.NRGBA{1, 2, 3, 255}, color.RGBA{4, 5, 6, 255}, color.Gray{9}})
	for _, pix := range [][]uint8{gray.Pix, gray16.Pix, rgba.Pix, nrgba.Pix, rgba64.Pix, nrgba64.Pix, cmyk.Pix} {
		fill(pix)
	}
	for i := range pal.Pix {
		pal.Pix[i] = uint8(i % 3)
	}
	opaqueEvery(rgba.Pix, 4, 1)
	opaqueEvery(nrgba.Pix, 4, 1)
	opaqueEvery(rgba64.Pix, 8, 2)
	opaqueEvery(nrgba64.Pix, 8, 2)
	for _, src := range []image.Image{gray, gray16, rgba, nrgba, rgba64, nrgba64, cmyk, pal} {
		for o := 1; o <= 8; o++ {
			var got, want Image
			place(&got, w, h, o).draw(got.Pix, src, false)
			place(&want, w, h, o).drawAny(want.Pix, src)
			for i := range want.Pix {
				if d := int(got.Pix[i]) - int(want.Pix[i]); d > 1 || d < -1 || d != 0 && src != image.Image(cmyk) {
					t.Fatalf("%T, orientation %d: byte %d is %d, want %d", src, o, i, got.Pix[i], want.Pix[i])
				}
			}
		}
	}
}

// Chroma of a constant picture stays constant and that of every ratio covers every pixel.
func TestChromaRatios(t *testing.T) {
	ratios := []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420,
		image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
	}
	for _, ratio := range ratios {
		for w := 1; w <= 9; w++ {
			for h := 1; h <= 5; h++ {
				src := image.NewYCbCr(image.Rect(0, 0, w, h), ratio)
				for _, p := range []struct {
					plane []uint8
					v     uint8
				}{{src.Y, 120}, {src.Cb, 90}, {src.Cr, 201}} {
					for i := range p.plane {
						p.plane[i] = p.v
					}
				}
				for _, video := range []bool{false, true} {
					var m Image
					place(&m, w, h, 1).draw(m.Pix, src, video)
					// 120 + 1.402*73 = 222.3, 120 - 0.344*-38 - 0.714*73 = 80.9, 120 + 1.772*-38 = 52.7; BT.601 likewise.
					want := [3]uint8{222, 81, 53}
					if video {
						want = [3]uint8{238, 77, 44}
					}
					for i, v := range m.Pix {
						if v != want[i%3] {
							t.Fatalf("%v, %d x %d, video %v: byte %d is %d, want %d", ratio, w, h, video, i, v, want[i%3])
						}
					}
				}
			}
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	picture := image.NewRGBA(image.Rect(0, 0, 40, 30))
	for i := range picture.Pix {
		picture.Pix[i] = uint8(i * i)
	}
	encode := func(f func(*bytes.Buffer) error) []byte {
		var b bytes.Buffer
		if err := f(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	jpg := encode(func(b *bytes.Buffer) error { return jpeg.Encode(b, picture, nil) })
	pngs := encode(func(b *bytes.Buffer) error { return png.Encode(b, picture) })
	gifs := encode(func(b *bytes.Buffer) error { return gif.Encode(b, picture, nil) })
	webp, err := os.ReadFile("testdata/images/webpll.webp")
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(pngs)
	damaged[len(damaged)/2] ^= 0xff
	for _, c := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"empty", nil, "empty"},
		{"text", []byte("<html>404 not found</html>"), "none of JPEG"},
		{"text that begins like a bitmap", []byte("BM, said the bitmap to the other bitmap"), "none of JPEG"},
		{"jpeg cut in its pixels", jpg[:len(jpg)*2/3], "truncated"},
		{"jpeg cut in its header", jpg[:30], "truncated"},
		{"png cut", pngs[:len(pngs)/2], "truncated"},
		{"png damaged", damaged, "damaged"},
		{"gif cut", gifs[:len(gifs)/2], "truncated"},
		{"webp cut", webp[:len(webp)/2], "truncated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m Image
			err := Decoder{MaxPixels: 1 << 20}.Decode(c.raw, &m, nil)
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("got %v, want ErrCorrupt and %q", err, c.want)
			}
		})
	}
}

func TestGuard(t *testing.T) {
	_, err := guard(func(io.Reader) (int, error) { panic("index out of range") }, nil)
	if err == nil || !strings.Contains(err.Error(), "index out of range") {
		t.Errorf("a panic became %v", err)
	}
}

// bombPNG is a PNG of a few bytes whose header promises w x h pixels.
func bombPNG(w, h uint32) []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
	b = binary.BigEndian.AppendUint32(b, w)
	b = binary.BigEndian.AppendUint32(b, h)
	b = append(b, 8, 2, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[12:]))
}

func TestDecompressionBombCostsNoMemory(t *testing.T) {
	for _, c := range []struct {
		w, h uint32
		max  int64
		want string
	}{
		{40000, 40000, 100_000_000, "at most 100000000"},
		{1<<31 - 1, 1, 100_000_000, "at most 100000000"},
		{11, 10, 109, "at most 109"},
		{11, 10, 110, "truncated"}, // allowed, so that the missing pixels are noticed
	} {
		raw := bombPNG(c.w, c.h)
		var m Image
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := Decoder{MaxPixels: c.max}.Decode(raw, &m, nil)
		runtime.ReadMemStats(&after)
		got := after.TotalAlloc - before.TotalAlloc
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%d x %d: got %v, want ErrCorrupt and %q", c.w, c.h, err, c.want)
		}
		if got > 1<<20 || len(m.Pix) > 0 {
			t.Errorf("%d x %d: %d bytes were allocated before the error", c.w, c.h, got)
		}
	}
}

// A frame smaller than its canvas lies where the file says, on the background colour.
func TestGIFFrameOnCanvas(t *testing.T) {
	pal := color.Palette{color.RGBA{10, 20, 30, 255}, color.RGBA{200, 100, 50, 255}}
	frame := image.NewPaletted(image.Rect(2, 1, 5, 3), pal)
	for i := range frame.Pix {
		frame.Pix[i] = 1
	}
	var b bytes.Buffer
	err := gif.EncodeAll(&b, &gif.GIF{
		Image: []*image.Paletted{frame}, Delay: []int{0},
		Config: image.Config{ColorModel: pal, Width: 8, Height: 4},
	})
	if err != nil {
		t.Fatal(err)
	}
	var m Image
	if err := (Decoder{MaxPixels: 1 << 20}).Decode(b.Bytes(), &m, nil); err != nil {
		t.Fatal(err)
	}
	if m.W != 8 || m.H != 4 {
		t.Fatalf("got %d x %d, want 8 x 4", m.W, m.H)
	}
	for y := range 4 {
		for x := range 8 {
			want := [3]uint8{10, 20, 30}
			if x >= 2 && x < 5 && y >= 1 && y < 3 {
				want = [3]uint8{200, 100, 50}
			}
			if got := [3]uint8(m.Pix[(y*8+x)*3:]); got != want {
				t.Errorf("(%d, %d) is %v, want %v", x, y, got, want)
			}
		}
	}
}

func TestEXIFOrientation(t *testing.T) {
	tiff := func(order binary.AppendByteOrder, mark string, tag, kind uint16, count uint32, v uint16) []byte {
		b := order.AppendUint32([]byte(mark), 8)
		b = order.AppendUint16(b, 1)
		b = order.AppendUint16(b, tag)
		b = order.AppendUint16(b, kind)
		b = order.AppendUint32(b, count)
		b = order.AppendUint16(b, v)
		return append(b, 0, 0, 0, 0, 0, 0)
	}
	le, be := binary.LittleEndian, binary.BigEndian
	for _, c := range []struct {
		name string
		raw  []byte
		want int
	}{
		{"little-endian", tiff(le, "II*\x00", 0x0112, 3, 1, 6), 6},
		{"big-endian", tiff(be, "MM\x00*", 0x0112, 3, 1, 8), 8},
		{"zero", tiff(le, "II*\x00", 0x0112, 3, 1, 0), 1},
		{"nine", tiff(le, "II*\x00", 0x0112, 3, 1, 9), 1},
		{"other type", tiff(le, "II*\x00", 0x0112, 4, 1, 6), 1},
		{"two values", tiff(le, "II*\x00", 0x0112, 3, 2, 6), 1},
		{"other tag", tiff(le, "II*\x00", 0x0111, 3, 1, 6), 1},
		{"other mark", tiff(le, "XX*\x00", 0x0112, 3, 1, 6), 1},
		{"cut", tiff(le, "II*\x00", 0x0112, 3, 1, 6)[:15], 1},
		{"directory beyond the end", []byte("II*\x00\xff\xff\xff\xff\x01\x00"), 1},
		{"nothing", nil, 1},
	} {
		if got := exifOrientation(c.raw); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}
