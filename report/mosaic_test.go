package report

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
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

// A sheet of photographs, for people to look at.
func TestMosaicOfPhotographs(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(sharedData(t), "flowers128", "flowers", "*", "1*.jpg"))
	var tiles []Tile
	for i := 0; i < len(files) && len(tiles) < 16; i += 61 {
		f, err := os.Open(files[i])
		if err != nil {
			t.Fatal(err)
		}
		img, err := jpeg.Decode(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		r := img.Bounds()
		tile := Tile{W: r.Dx(), H: r.Dy(), C: 3}
		for y := range tile.H {
			for x := range tile.W {
				cr, cg, cb, _ := img.At(r.Min.X+x, r.Min.Y+y).RGBA()
				tile.Pix = append(tile.Pix, uint8(cr>>8), uint8(cg>>8), uint8(cb>>8))
			}
		}
		class := filepath.Base(filepath.Dir(files[i]))
		tile.Caption, tile.Good = class+" / "+class+" 0.97", true
		if len(tiles)%4 == 3 {
			tile.Caption, tile.Good, tile.Bad = class+"\npredicted dandelion 0.61", false, true
		}
		tiles = append(tiles, tile)
	}
	if len(tiles) != 16 {
		t.Fatalf("got %d photographs, want 16", len(tiles))
	}
	var b bytes.Buffer
	if err := Mosaic(&b, tiles, 0); err != nil {
		t.Fatal(err)
	}
	keep(t, "mosaic-flowers.jpg", &b)
}

func sharedData(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
	data := filepath.Join(filepath.Dir(dir), "shared", "data")
	if _, err := os.Stat(data); err != nil {
		t.Skip("the real files of ../shared/data are absent")
	}
	return data
}
