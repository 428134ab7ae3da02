package report

import (
	"fmt"
	"image"
	"image/color"
	stddraw "image/draw"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// checkMatrix says what is wrong with a confusion matrix.
func checkMatrix(matrix [][]int, classes []string) error {
	if len(matrix) == 0 || len(matrix) != len(classes) {
		return fmt.Errorf("confusion matrix: want a row for each of %d classes, got %d: %w", len(classes), len(matrix), ErrInput)
	}
	for i, row := range matrix {
		if len(row) != len(classes) {
			return fmt.Errorf("confusion matrix: want %d columns, got %d in row %d: %w", len(classes), len(row), i, ErrInput)
		}
		for _, n := range row {
			if n < 0 {
				return fmt.Errorf("confusion matrix: want counts of at least 0, got %d in row %d: %w", n, i, ErrInput)
			}
		}
	}
	return nil
}

// maxClasses bounds the picture: beyond, a cell would be less than a pixel of a 4000-pixel map.
const maxClasses = 4000

// ConfusionPNG draws a confusion matrix, matrix[true class][predicted class], as a heat map: true classes from top to
// bottom, predicted ones from left to right. If normalized, each row is divided by its sum, so that a cell is the share of
// a class's samples and the diagonal is the class's recall. Up to 30 classes the cells carry their numbers.
func ConfusionPNG(w io.Writer, matrix [][]int, classes []string, normalized bool) error {
	if err := checkMatrix(matrix, classes); err != nil {
		return err
	}
	if len(classes) > maxClasses {
		return fmt.Errorf("confusion matrix: want at most %d classes to be visible, got %d; write the CSV instead: %w", maxClasses, len(classes), ErrInput)
	}
	m := newHeatMap(matrix, classes, normalized)
	img := vgimg.NewWith(vgimg.UseWH(vg.Length(m.width), vg.Length(m.height)), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(color.White))
	m.fillCells(img.Image())
	m.drawText(draw.New(img))
	_, err := vgimg.PngCanvas{Canvas: img}.WriteTo(w)
	return err
}

// A heatMap is a confusion matrix with its layout, in pixels from the top left corner.
type heatMap struct {
	classes       []string // as they are written
	counts        [][]int
	value         [][]float64 // (true, predicted), what the colour shows
	top           float64     // the value of the darkest colour
	normalized    bool
	cell          int // side
	left, up      int // of the matrix
	width, height int // of the picture
	font          float64
	every         int // each how many classes are named
}

// The bar that explains the colours.
const barGap, barWidth, barLabels = 28, 18, 64

func newHeatMap(matrix [][]int, classes []string, normalized bool) *heatMap {
	n := len(classes)
	m := &heatMap{counts: matrix, normalized: normalized, cell: min(max(720/n, 1), 110), font: 14}
	if n == 2 || n == 1 {
		m.cell = 180
	}
	m.value = make([][]float64, n)
	for i, row := range matrix {
		m.value[i] = make([]float64, n)
		sum := 0.0
		for _, c := range row {
			sum += float64(c)
		}
		for j, c := range row {
			v := float64(c)
			if normalized && sum > 0 {
				v /= sum
			}
			m.value[i][j] = v
			m.top = max(m.top, v)
		}
	}
	if normalized || m.top == 0 {
		m.top = 1
	}
	m.font = min(14, max(9, float64(m.cell)*0.8))
	m.every = 1
	for i := 0; float64(m.every*m.cell) < m.font+2; i++ { // 1, 5, 10, 50, 100, ...
		m.every *= []int{5, 2}[i%2]
	}
	style := m.style(m.font)
	room := vg.Length(0)
	for _, name := range classes {
		name = shorten(name, 26)
		m.classes = append(m.classes, name)
		room = max(room, style.Width(name))
	}
	m.left = 64 + int(math.Ceil(float64(room)))
	m.up = 56
	side := m.cell * n
	m.width = m.left + side + barGap + barWidth + barLabels
	m.height = m.up + side + 56 + m.namesBelow(room)
	return m
}

// rotation of the names below the matrix.
const rotation = math.Pi / 4

// namesBelow returns the height that the rotated names need.
func (m *heatMap) namesBelow(widest vg.Length) int {
	if m.upright(widest) {
		return int(m.font) + 4
	}
	return int(math.Ceil((float64(widest)+m.font)*math.Sin(rotation))) + 4
}

// upright tells whether the names fit side by side without rotation.
func (m *heatMap) upright(widest vg.Length) bool { return float64(widest)+6 < float64(m.cell*m.every) }

func (m *heatMap) style(size float64) draw.TextStyle {
	return draw.TextStyle{Color: ink, Font: sans(size), XAlign: draw.XCenter, YAlign: draw.YCenter, Handler: plot.DefaultTextHandler}
}

// shorten cuts a name to n characters, the last of which says so.
func shorten(name string, n int) string {
	r := []rune(name)
	if len(r) <= n {
		return name
	}
	return string(r[:n-1]) + "…"
}

// heat maps 0..1 to white..dark blue through the anchors of ColorBrewer's sequential "Blues".
func heat(v float64) color.RGBA {
	anchors := []color.RGBA{{255, 255, 255, 255}, {222, 235, 247, 255}, {158, 202, 225, 255}, {66, 146, 198, 255}, {8, 81, 156, 255}, {8, 48, 107, 255}}
	x := min(max(v, 0), 1) * float64(len(anchors)-1)
	i := min(int(x), len(anchors)-2)
	mix := func(a, b uint8) uint8 {
		return uint8(math.Round(float64(a) + (x-float64(i))*(float64(b)-float64(a))))
	}
	a, b := anchors[i], anchors[i+1]
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
}

// fillCells draws everything that has no text, on whole pixels.
func (m *heatMap) fillCells(img stddraw.Image) {
	fill := func(x0, y0, x1, y1 int, c color.Color) {
		stddraw.Draw(img, image.Rect(x0, y0, x1, y1), image.NewUniform(c), image.Point{}, stddraw.Src)
	}
	side := m.cell * len(m.classes)
	right, down := m.left+side, m.up+side
	fill(m.left-1, m.up-1, right+1, down+1, ink)
	gap := 0
	if m.cell >= 12 { // a line between cells
		fill(m.left, m.up, right, down, faint)
		gap = 1
	}
	for i, row := range m.value {
		for j, v := range row {
			x, y := m.left+j*m.cell, m.up+i*m.cell
			fill(x, y, x+m.cell-gap, y+m.cell-gap, heat(v/m.top))
		}
	}
	bar := right + barGap
	fill(bar-1, m.up-1, bar+barWidth+1, down+1, ink)
	for y := m.up; y < down; y++ {
		fill(bar, y, bar+barWidth, y+1, heat(float64(down-y)/float64(side)))
	}
}

// drawText adds the title, the names, the numbers and the labels of the bar.
func (m *heatMap) drawText(c draw.Canvas) {
	put := func(style draw.TextStyle, x, y float64, s string) {
		c.FillText(style, vg.Point{X: vg.Length(x), Y: vg.Length(float64(m.height) - y)}, s) // package vg counts from below
	}
	n := len(m.classes)
	side := m.cell * n
	right, down := float64(m.left+side), float64(m.up+side)
	midX, midY := float64(m.left)+float64(side)/2, float64(m.up)+float64(side)/2

	title := "Confusion matrix"
	if m.normalized {
		title += ", normalized by true class"
	}
	if float64(m.style(18).Width(title)) > float64(m.width)-16 {
		title = "Confusion matrix" // of one or two classes
	}
	put(m.style(18), max(midX, float64(m.style(18).Width(title))/2+8), 26, title)
	put(m.style(15), midX, float64(m.height)-16, "Predicted")
	side90 := m.style(15)
	side90.Rotation = math.Pi / 2
	put(side90, 20, midY, "True")

	name, below := m.style(m.font), m.style(m.font)
	name.XAlign = draw.XRight
	widest := vg.Length(0)
	for _, s := range m.classes {
		widest = max(widest, name.Width(s))
	}
	below.YAlign = draw.YTop
	if !m.upright(widest) {
		below.Rotation, below.XAlign, below.YAlign = rotation, draw.XRight, draw.YCenter
	}
	for i := 0; i < n; i += m.every {
		at := (float64(i) + 0.5) * float64(m.cell)
		put(name, float64(m.left)-8, float64(m.up)+at, m.classes[i])
		put(below, float64(m.left)+at, down+8, m.classes[i])
	}
	if n <= 30 {
		m.drawNumbers(put)
	}
	label := m.style(12)
	label.XAlign = draw.XLeft
	for _, tick := range (ticks{whole: !m.normalized}).Ticks(0, m.top) {
		put(label, right+barGap+barWidth+6, down-tick.Value/m.top*float64(side), tick.Label)
	}
}

func (m *heatMap) drawNumbers(put func(style text.Style, x, y float64, s string)) {
	longest := ""
	for i := range m.value {
		for j := range m.value {
			if s := m.number(i, j); len(s) > len(longest) {
				longest = s
			}
		}
	}
	size := 15.0 // as large as fits the longest number
	for size > 6 && float64(m.style(size).Width(longest)) > 0.86*float64(m.cell) {
		size--
	}
	style := m.style(size)
	for i, row := range m.value {
		for j, v := range row {
			style.Color = ink
			if v > 0.5*m.top {
				style.Color = color.White
			}
			put(style, float64(m.left)+(float64(j)+0.5)*float64(m.cell), float64(m.up)+(float64(i)+0.5)*float64(m.cell), m.number(i, j))
		}
	}
}

// number is the text of a cell: nothing for nothing, because zeros hide what matters.
func (m *heatMap) number(i, j int) string {
	switch {
	case m.counts[i][j] == 0:
		return ""
	case m.normalized:
		return strconv.FormatFloat(m.value[i][j], 'f', 2, 64)
	}
	return strconv.Itoa(m.counts[i][j])
}
