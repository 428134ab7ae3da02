// Package report draws what a training run leaves behind: curves over the epochs, the confusion matrix, contact sheets of
// labelled images. The same input gives the same bytes.
//
// Subpackage tensorboard writes event files, subpackage terminal shows progress.
package report

import (
	"errors"
	"image/color"

	"gonum.org/v1/plot/font"
)

// ErrInput marks input that cannot be drawn: no rows, a matrix that is not square, pixels that do not fill their tile.
var ErrInput = errors.New("cannot be drawn")

// The colours of series, from the palette of ColorBrewer's and matplotlib's qualitative maps: distinguishable for most
// colour-blind readers, and dark enough on white.
var (
	blue   = color.RGBA{31, 119, 180, 255}
	orange = color.RGBA{225, 110, 10, 255}
	green  = color.RGBA{34, 139, 60, 255}
	red    = color.RGBA{200, 30, 40, 255}
	ink    = color.RGBA{40, 44, 52, 255}
	faint  = color.RGBA{215, 219, 225, 255}
)

// sans is the font of all plots, of the given size in pixels: pictures are drawn at 72 dots per inch, where a pixel is a
// point.
func sans(size float64) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: font.Length(size)}
}

// dpi makes a point of package vg a pixel.
const dpi = 72
