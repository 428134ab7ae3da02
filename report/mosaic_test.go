package report

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"strings"
	"testing"
)

// stripes is a picture whose every pixel differs from its neighbours.
func stripes(w, h, c int) Tile {
	t := Tile{W: w, H: h, C: c, Pix: make([]uint8, w*h*c)}
	for i := range t.Pix {
		x, y := i/c%w, i/c/w
		t.Pix[i] = uint8(40 + 170*((x+y)%2))
		if i%c == 1 {
			t.Pix[i] = uint8(255 * y / h)
		}
	}
	return t
}

func TestMosaic(t *testing.T) {
	cases := []struct {
		name string
		w, h int
		c    int
		n    int
		cols int
		want image.Point
	}{
		{"one pixel", 1, 1, 1, 1, 0, image.Pt(186, 207)},
		{"digits", 28, 28, 1, 25, 0, image.Pt(5*156+10, 5*177+10)},
		{"colour, more columns than tiles", 32, 32, 3, 3, 8, image.Pt(3*176+10, 197+10)},
		{"last row not full", 64, 64, 3, 7, 4, image.Pt(4*144+10, 2*165+10)},
		{"wide", 200, 20, 3, 4, 2, image.Pt(2*216+10, 2*57+10)},
		{"large", 700, 350, 3, 2, 1, image.Pt(336+10, 2*197+10)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tiles := make([]Tile, c.n)
			for i := range tiles {
				tiles[i] = stripes(c.w, c.h, c.c)
				tiles[i].Caption = fmt.Sprintf("class %d", i)
				tiles[i].Good, tiles[i].Bad = i%3 == 1, i%3 == 2
			}
			var b bytes.Buffer
			if err := Mosaic(&b, tiles, c.cols); err != nil {
				t.Fatal(err)
			}
			keep(t, fmt.Sprintf("mosaic-%s.jpg", c.name), &b)
			img, err := jpeg.Decode(&b)
			if err != nil {
				t.Fatal(err)
			}
			if got := img.Bounds().Size(); got != c.want {
				t.Errorf("got a sheet of %v, want %v", got, c.want)
			}
		})
	}
}

// The wrong ones come first, the frames show the verdicts, and the pixels are the enlarged ones of the picture.
func TestMosaicPixels(t *testing.T) {
	dark, light := Tile{W: 32, H: 32, C: 1, Pix: make([]uint8, 1024), Good: true}, Tile{W: 32, H: 32, C: 1, Pix: bytes.Repeat([]byte{200}, 1024), Bad: true}
	plain := stripes(2, 1, 1)
	tiles := []Tile{dark, plain, light}
	s, err := newSheet(tiles, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i := range tiles {
		s.draw(i, &tiles[i])
	}
	pitch := s.pitch().X
	for i, want := range []image.Image{image.NewUniform(green), image.NewUniform(faint), image.NewUniform(red)} {
		if got := s.img.At(margin+i*pitch, margin); got != want.At(0, 0) {
			t.Errorf("frame %d: got %v, want %v", i, got, want.At(0, 0))
		}
	}
	// The 2x1 picture becomes 160x80: its pixels meet in the middle of the cell, without a blend.
	mid := image.Pt(margin+pitch+frame+s.cell.X/2, margin+frame+s.cell.Y/2)
	for dx, want := range map[int]uint8{-1: 40, 0: 210, -79: 40, 79: 210} {
		if got := s.img.RGBAAt(mid.X+dx, mid.Y); got.R != want || got.G != want || got.B != want {
			t.Errorf("pixel at %+d of the middle: got %v, want grey %d", dx, got, want)
		}
	}

	var sorted, unsorted bytes.Buffer
	if err := Mosaic(&unsorted, tiles, 3); err != nil {
		t.Fatal(err)
	}
	if err := Mosaic(&sorted, []Tile{light, dark, plain}, 3); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(sorted.Bytes(), unsorted.Bytes()) {
		t.Error("the wrongly classified picture does not come first")
	}
}

func TestMosaicRefuses(t *testing.T) {
	cases := []struct {
		name  string
		tiles []Tile
	}{
		{"none", nil},
		{"no size", []Tile{{C: 1}}},
		{"two channels", []Tile{{W: 1, H: 1, C: 2, Pix: make([]uint8, 2)}}},
		{"short pixels", []Tile{{W: 2, H: 2, C: 3, Pix: make([]uint8, 11)}}},
		{"too many", make([]Tile, 20000)},
	}
	for i := range cases[4].tiles {
		cases[4].tiles[i] = Tile{W: 1, H: 1, C: 1, Pix: []uint8{0}}
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := Mosaic(&bytes.Buffer{}, c.tiles, 0); !errors.Is(err, ErrInput) {
				t.Errorf("got %v, want ErrInput", err)
			}
		})
	}
}

func TestCaptionIsCut(t *testing.T) {
	s, err := newSheet([]Tile{stripes(28, 28, 1)}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.cut("cat", 100); got != "cat" {
		t.Errorf("got %q", got)
	}
	if got := s.cut("cat", 1); got != "…" {
		t.Errorf("one pixel: got %q", got)
	}
	long := s.cut("an unreasonably long class name 0.97", 100)
	if n := len([]rune(long)); n < 8 || n > 20 || !strings.HasPrefix(long, "an un") || !strings.HasSuffix(long, " 0.97") || !strings.Contains(long, "…") {
		t.Errorf("got %q", long)
	}
}
