package report

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"slices"
	"strings"

	"codeberg.org/go-fonts/liberation/liberationsansregular"
	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// Tile is one picture of a contact sheet with what is to be said about it.
type Tile struct {
	W, H, C int     // C is 1 (grey) or 3 (RGB)
	Pix     []uint8 // (H, W, C)
	Caption string  // lines are separated by \n; too long ones lose their middle
	// Good and Bad colour the frame and the caption green or red: classified rightly or wrongly.
	Good, Bad bool
}

// The measures of a sheet in pixels.
const (
	minCell   = 112 // narrower cells have no room for a caption
	maxCell   = 320 // larger pictures are reduced
	maxWiden  = 200 // a cell grows to this width for its captions
	frame     = 3
	margin    = 10 // between cells and around them
	fontSize  = 13
	lineSpace = 17
	maxSide   = 65500 // JPEG stores the sides in 16 bits
	maxPixels = 100e6
)

// Mosaic draws tiles as a contact sheet with cols columns, or about as many as rows if cols is 0, and writes it as a JPEG.
// Bad tiles come first; otherwise the order is kept. Small pictures are enlarged by whole factors without smoothing, so
// that their pixels can be seen; those above 320 pixels are reduced.
func Mosaic(w io.Writer, tiles []Tile, cols int) error { return mosaic(w, "jpeg", tiles, cols) }

// mosaic is Mosaic in a format, "jpeg" or "png".
func mosaic(w io.Writer, format string, tiles []Tile, cols int) error {
	if err := checkTiles(tiles); err != nil {
		return err
	}
	if cols <= 0 {
		cols = int(math.Ceil(math.Sqrt(float64(len(tiles)))))
	}
	tiles = slices.Clone(tiles)
	slices.SortStableFunc(tiles, func(a, b Tile) int { return cmp.Compare(rank(a), rank(b)) })
	s, err := newSheet(tiles, min(cols, len(tiles)))
	if err != nil {
		return err
	}
	for i := range tiles {
		s.draw(i, &tiles[i])
	}
	if format == "png" {
		return png.Encode(w, s.img)
	}
	return jpeg.Encode(w, s.img, &jpeg.Options{Quality: 92})
}

func rank(t Tile) int {
	if t.Bad {
		return 0
	}
	return 1
}

func checkTiles(tiles []Tile) error {
	if len(tiles) == 0 {
		return fmt.Errorf("mosaic: want at least one picture, got none: %w", ErrInput)
	}
	for i, t := range tiles {
		if t.W < 1 || t.H < 1 || t.C != 1 && t.C != 3 || len(t.Pix) != t.W*t.H*t.C {
			return fmt.Errorf("mosaic: picture %d: want %dx%d pixels of 1 or 3 channels, got %d bytes for %d: %w", i, t.W, t.H, len(t.Pix), t.C, ErrInput)
		}
	}
	return nil
}

// A sheet is the picture that the tiles are drawn on.
type sheet struct {
	img   *image.RGBA
	face  font.Face
	cols  int
	cell  image.Point // size of a picture's place, without frame
	lines int         // of the longest caption
}

func newSheet(tiles []Tile, cols int) (*sheet, error) {
	parsed, err := opentype.Parse(liberationsansregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("mosaic: reading the embedded font: %w", err)
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: fontSize, DPI: dpi, Hinting: font.HintingFull})
	if err != nil {
		return nil, fmt.Errorf("mosaic: reading the embedded font: %w", err)
	}
	s := &sheet{face: face, cols: cols, cell: image.Pt(minCell, 1)}
	for _, t := range tiles {
		size := scaledSize(t.W, t.H)
		s.cell = image.Pt(max(s.cell.X, size.X), max(s.cell.Y, size.Y))
		if t.Caption != "" {
			s.lines = max(s.lines, 1+strings.Count(t.Caption, "\n"))
		}
		for line := range strings.SplitSeq(t.Caption, "\n") {
			s.cell.X = max(s.cell.X, min(maxWiden, font.MeasureString(face, line).Ceil()))
		}
	}
	rows := (len(tiles) + cols - 1) / cols
	pitch := s.pitch()
	width, height := margin+cols*pitch.X, margin+rows*pitch.Y
	if width > maxSide || height > maxSide || width*height > maxPixels {
		return nil, fmt.Errorf("mosaic: want a sheet of at most %d pixels a side and %.0f in all, got %dx%d; draw fewer than %d pictures: %w", maxSide, maxPixels, width, height, len(tiles), ErrInput)
	}
	s.img = image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(s.img, s.img.Rect, image.White, image.Point{}, draw.Src)
	return s, nil
}

// pitch is the distance from one cell to the next.
func (s *sheet) pitch() image.Point {
	p := s.cell.Add(image.Pt(2*frame+margin, 2*frame+margin))
	if s.lines > 0 {
		p.Y += 4 + s.lines*lineSpace
	}
	return p
}

// scaledSize returns the size at which a picture is shown: enlarged by the largest whole factor that stays within half of
// maxCell, or reduced to maxCell.
func scaledSize(w, h int) image.Point {
	long := max(w, h)
	if long > maxCell {
		shrink := func(n int) int { return max(1, int(math.Round(float64(n)*maxCell/float64(long)))) }
		return image.Pt(shrink(w), shrink(h))
	}
	k := max(1, maxCell/2/long)
	return image.Pt(k*w, k*h)
}

// draw puts tile t into cell i, row by row.
func (s *sheet) draw(i int, t *Tile) {
	pitch := s.pitch()
	origin := image.Pt(margin+i%s.cols*pitch.X, margin+i/s.cols*pitch.Y)
	ground, text := color.RGBA{240, 242, 245, 255}, ink
	border := faint
	switch {
	case t.Bad:
		border, text = red, red
	case t.Good:
		border, text = green, green
	}
	outer := image.Rectangle{origin, origin.Add(s.cell).Add(image.Pt(2*frame, 2*frame))}
	inner := outer.Inset(frame)
	draw.Draw(s.img, outer, image.NewUniform(border), image.Point{}, draw.Src)
	draw.Draw(s.img, inner, image.NewUniform(ground), image.Point{}, draw.Src)

	size := scaledSize(t.W, t.H)
	corner := inner.Min.Add(s.cell.Sub(size).Div(2))
	place := image.Rectangle{corner, corner.Add(size)}
	var scaler xdraw.Interpolator = xdraw.NearestNeighbor
	if size.X < t.W {
		scaler = xdraw.CatmullRom
	}
	scaler.Scale(s.img, place, t.image(), image.Rect(0, 0, t.W, t.H), xdraw.Src, nil)

	if t.Caption == "" {
		return
	}
	d := font.Drawer{Dst: s.img, Src: image.NewUniform(text), Face: s.face}
	for n, line := range strings.Split(t.Caption, "\n") {
		line = s.cut(line, outer.Dx())
		d.Dot = fixed.P(outer.Min.X+(outer.Dx()-d.MeasureString(line).Round())/2, outer.Max.Y+4+n*lineSpace+fontSize)
		d.DrawString(line)
	}
}

// image returns the tile's pixels as an image; grey ones share the memory.
func (t *Tile) image() image.Image {
	if t.C == 1 {
		return &image.Gray{Pix: t.Pix, Stride: t.W, Rect: image.Rect(0, 0, t.W, t.H)}
	}
	m := image.NewRGBA(image.Rect(0, 0, t.W, t.H))
	for i, j := 0, 0; i < len(t.Pix); i, j = i+3, j+4 {
		m.Pix[j], m.Pix[j+1], m.Pix[j+2], m.Pix[j+3] = t.Pix[i], t.Pix[i+1], t.Pix[i+2], 255
	}
	return m
}

// cut shortens a line in its middle until it fits into width pixels: captions end with the probability.
func (s *sheet) cut(line string, width int) string {
	r := []rune(line)
	for n := len(r); n > 0; n-- {
		if font.MeasureString(s.face, line).Ceil() <= width {
			return line
		}
		head := n / 2
		line = string(r[:head]) + "…" + string(r[len(r)-(n-1-head):])
	}
	return line
}
