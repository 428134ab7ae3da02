package data

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/data/turbojpeg"
)

// needTurbo skips a test where libjpeg-turbo is not installed.
func needTurbo(t testing.TB) {
	t.Helper()
	if err := turbojpeg.Load(); err != nil {
		t.Skip(err)
	}
}

func TestDecide(t *testing.T) {
	want := map[JPEG]JPEG{"": JPEGGo, JPEGGo: JPEGGo, JPEGAuto: JPEGTurbo, JPEGTurbo: JPEGTurbo, JPEGDraft: JPEGDraft}
	installed := turbojpeg.Load() == nil
	for j, w := range want {
		notes := j.notes()
		if !installed {
			w = JPEGGo
		}
		if got := j.Decide(); got != w {
			t.Errorf("%q is decided to be %q, want %q", j, got, w)
		}
		if noted := len(notes) > 0; noted != (!installed && (j == JPEGTurbo || j == JPEGDraft)) {
			t.Errorf("%q, library installed: %v: notes %q", j, installed, notes)
		}
	}
	if _, err := Open(t.TempDir(), Options{JPEG: "libjpeg"}); !errors.Is(err, ErrOption) {
		t.Errorf("a decoder that there is not gives %v, want ErrOption", err)
	}
}

// difference returns the mean and the largest difference of two pictures of the same size.
func difference(t *testing.T, a, b *Image) (mean float64, largest int) {
	t.Helper()
	if a.W != b.W || a.H != b.H || a.C != b.C {
		t.Fatalf("%d x %d x %d and %d x %d x %d", a.W, a.H, a.C, b.W, b.H, b.C)
	}
	sum := 0
	for i, v := range a.Pix {
		d := int(v) - int(b.Pix[i])
		d = max(d, -d)
		sum += d
		largest = max(largest, d)
	}
	return float64(sum) / float64(len(a.Pix)), largest
}

// Photographs are the same by both decoders, but for rounding: the inverse DCT of either is within one level of the exact one, so that luma and chroma
// may be one level apart, and blue, luma plus 1.772 times chroma, three. Most bytes are equal. Of chroma that is halved vertically alone, libjpeg
// interpolates what Go's decoder repeats.
func TestTurboPhotographs(t *testing.T) {
	needTurbo(t)
	var files []string
	for _, pattern := range []string{"hymenoptera/val/*/*", "imagenet-sample200/*", "flowers128/flowers/rose/*"} {
		some, err := filepath.Glob(filepath.Join(shared(t), pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, some[:min(40, len(some))]...)
	}
	if len(files) == 0 {
		t.Skip("no photographs in the test data")
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var want, got Image
		if err := (Decoder{MaxPixels: DefaultMaxPixels}).Decode(raw, &want, nil); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if err := (Decoder{MaxPixels: DefaultMaxPixels, JPEG: JPEGTurbo}).Decode(raw, &got, nil); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		mean, largest := difference(t, &want, &got)
		if imageType(raw) == "jpeg" && mean == 0 {
			t.Errorf("%s: not decoded by the library", file)
		}
		if mean > 0.1 || largest > 3 {
			t.Errorf("%s: differs from Go's decoder by %.3f levels on average and %d at most, want 0.1 and 3", file, mean, largest)
		}
	}
}

// Whatever is wrong with a file, the error is the one of Go's decoder.
func TestTurboErrors(t *testing.T) {
	needTurbo(t)
	for _, file := range fixtures(t) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if imageType(raw) != "jpeg" {
			continue
		}
		damaged := [][]byte{raw[:20], raw[:len(raw)/2], raw[:len(raw)*9/10], raw[:len(raw)-1], raw[:len(raw)-2]}
		for at := 3; at < len(raw); at += max(len(raw)/50, 1) {
			damaged = append(damaged, slices.Replace(bytes.Clone(raw), at, at+1, raw[at]^0x5a))
		}
		for i, b := range damaged {
			var want, got Image
			wantErr := (Decoder{MaxPixels: 1 << 20}).Decode(b, &want, nil)
			err := (Decoder{MaxPixels: 1 << 20, JPEG: JPEGTurbo}).Decode(b, &got, nil)
			switch {
			case i < 5 && err == nil:
				t.Errorf("%s, cut to %d bytes: no error", file, len(b))
			case err != nil && (wantErr == nil || err.Error() != wantErr.Error()):
				t.Errorf("%s, damage %d: error %v, want %v", file, i, err, wantErr)
			case err == nil && wantErr == nil && (got.W != want.W || got.H != want.H):
				t.Errorf("%s, damage %d: %d x %d, want %d x %d", file, i, got.W, got.H, want.W, want.H)
			}
		}
	}
}

// A bound on the pixels is kept before the library sees the file.
func TestTurboBomb(t *testing.T) {
	needTurbo(t)
	raw, err := os.ReadFile("testdata/images/jpeg444.jpg")
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(raw, []byte{0xff, 0xc0})
	copy(raw[at+5:], []byte{0xff, 0xff, 0xff, 0xff})
	var m Image
	err = (Decoder{MaxPixels: DefaultMaxPixels, JPEG: JPEGTurbo}).Decode(raw, &m, nil)
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "65535 x 65535") || m.Pix != nil {
		t.Errorf("error %v with %d bytes, want ErrCorrupt with the size and none", err, len(m.Pix))
	}
}

// A draft is the picture made smaller.
func TestDraft(t *testing.T) {
	needTurbo(t)
	for _, file := range fixtures(t) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		decode := func(j JPEG, reduction int) *Image {
			m := &Image{}
			if err := (Decoder{MaxPixels: 1 << 20, JPEG: j}).Decode(raw, m, func(int, int) int { return reduction }); err != nil {
				t.Fatalf("%s at 1/%d: %v", file, reduction, err)
			}
			return m
		}
		full := decode(JPEGDraft, 1)
		for _, j := range []JPEG{JPEGGo, JPEGTurbo} {
			if mean, _ := difference(t, full, decode(j, 8)); mean > 0.1 {
				t.Errorf("%s: %s makes a draft", file, j)
			}
		}
		for _, n := range []int{2, 4, 8} {
			m := decode(JPEGDraft, n)
			if imageType(raw) != "jpeg" || strings.Contains(file, "cmyk") {
				if mean, _ := difference(t, full, m); mean != 0 {
					t.Errorf("%s: a file of which there is no draft differs by %.1f levels", file, mean)
				}
				continue
			}
			if strings.Contains(file, "exif") {
				continue // TestDraftIsTurned
			}
			if want := (Draft{full.W, full.H, n}); m.Draft != want || m.W != turbojpeg.Reduced(full.W, n) || m.H != turbojpeg.Reduced(full.H, n) {
				t.Errorf("%s at 1/%d: %d x %d as draft %v, want %v", file, n, m.W, m.H, m.Draft, want)
			}
			if n > 2 { // too little is left of pictures as small as these
				continue
			}
			if mean, _ := difference(t, shrunk(full, n, m.W, m.H), m); mean > 8 {
				t.Errorf("%s at 1/%d: differs from the mean of the pixels by %.1f levels", file, n, mean)
			}
		}
	}
}

// A draft is asked for with the size of the upright picture, and turned as the whole picture is; not made at all if incomplete pixels would come first.
func TestDraftIsTurned(t *testing.T) {
	needTurbo(t)
	const width, height = 44, 24
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range picture.Pix {
		picture.Pix[i] = uint8(i * i / 100)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture, nil); err != nil {
		t.Fatal(err)
	}
	raw := b.Bytes()
	decode := func(o, reduction int) *Image {
		exif := append([]byte("\xff\xe1\x00\x22Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"), byte(o), 0, 0, 0, 0, 0, 0)
		m := &Image{}
		err := (Decoder{MaxPixels: 1 << 20, JPEG: JPEGDraft}).Decode(slices.Concat(raw[:2], exif, raw[2:]), m, func(w, h int) int {
			if wantW, wantH := upright(width, height, o); w != wantW || h != wantH {
				t.Errorf("orientation %d: asked for %d x %d, want %d x %d", o, w, h, wantW, wantH)
			}
			return reduction
		})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for o := 1; o <= 8; o++ {
		for reduction, n := range map[int]int{1: 1, 2: 2, 4: 4, 8: 4} { // 44 is no multiple of 8
			if o == 1 {
				n = reduction
			}
			stored, got := decode(1, n), decode(o, reduction)
			var want Image
			place(&want, stored.W, stored.H, o).drawRGB(want.Pix, stored.Pix, 3*stored.W, 3, 1)
			if _, largest := difference(t, &want, got); largest != 0 {
				t.Errorf("orientation %d at 1/%d: differs from the turned draft by %d", o, reduction, largest)
			}
			w, h := upright(width, height, o)
			if want := (Draft{w, h, n}); got.Whole() != want {
				t.Errorf("orientation %d at 1/%d: draft %v, want %v", o, reduction, got.Whole(), want)
			}
		}
	}
}

// shrunk returns m divided by n, as w x h means of n x n pixels.
func shrunk(m *Image, n, w, h int) *Image {
	s := &Image{}
	s.Reset(w, h, 3)
	for i := range s.Pix {
		x, y, c := i/3%w*n, i/3/w*n, i%3
		sum, count := 0, 0
		for dy := range min(n, m.H-y) {
			for dx := range min(n, m.W-x) {
				sum += int(m.Pix[((y+dy)*m.W+x+dx)*3+c])
				count++
			}
		}
		s.Pix[i] = uint8((sum + count/2) / count)
	}
	return s
}

// Wrappers of a data set pass the request for a draft on.
func TestReadReduced(t *testing.T) {
	needTurbo(t)
	f, err := os.Open("testdata/images/jpeg444.want.png")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture, nil); err != nil {
		t.Fatal(err)
	}
	c := content{}
	for _, name := range []string{"train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "val/b/1.jpg"} {
		c[name] = b.Bytes()
	}
	s := open(t, c.folder(t), Options{JPEG: JPEGDraft, SkipCorrupt: 1})
	part, err := Subset(s.Train, []int{1})
	if err != nil {
		t.Fatal(err)
	}
	var m Image
	if err := ReadReduced(part, 0, &m, func(int, int) int { return 2 }); err != nil {
		t.Fatal(err)
	}
	if m.Draft.N != 2 {
		t.Errorf("the draft is %v, want half the size", m.Draft)
	}
	if err := ReadReduced(&fakeSet{values: ramp(4, 0), classes: 2}, 1, &m, nil); err != nil {
		t.Error(err)
	}
}
