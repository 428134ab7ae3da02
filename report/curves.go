package report

import (
	"fmt"
	"image/color"
	"io"
	"math"

	"github.com/cnnctl/cnnctl/train"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// The size of one panel in pixels; three of them make a row.
const panelW, panelH = 400, 400

// A series is one line of a panel.
type series struct {
	name   string
	colour color.RGBA
	value  func(train.Row) float64
}

// A panel is one small plot.
type panel struct {
	title    string
	lines    []series
	markBest bool // rings the largest value of the first line
	accuracy bool // rises, and not above 1
}

var panels = []panel{
	{title: "train/loss", lines: []series{{"", blue, func(r train.Row) float64 { return r.TrainLoss }}}},
	{title: "val/loss", lines: []series{{"", orange, func(r train.Row) float64 { return r.ValLoss }}}},
	{title: "loss", lines: []series{
		{"train", blue, func(r train.Row) float64 { return r.TrainLoss }},
		{"val", orange, func(r train.Row) float64 { return r.ValLoss }},
	}},
	{title: "metrics/accuracy_top1", lines: []series{{"", green, func(r train.Row) float64 { return r.Top1 }}}, markBest: true, accuracy: true},
	{title: "metrics/accuracy_top5", lines: []series{{"", green, func(r train.Row) float64 { return r.Top5 }}}, markBest: true, accuracy: true},
	{title: "lr", lines: []series{{"", ink, func(r train.Row) float64 { return r.LR }}}},
}

// Curves draws the history of a run as a PNG of 1200x800 pixels: losses, accuracies and the learning rate over the
// epochs, which ascend, and both losses in one panel, where their distance shows overfitting. Values that are not finite are left out,
// and so are panels without a value.
func Curves(w io.Writer, history []train.Row) error {
	var plots []*plot.Plot
	for _, p := range panels {
		drawn, err := p.plot(history)
		if err != nil {
			return fmt.Errorf("drawing %s: %w", p.title, err)
		}
		if drawn != nil {
			plots = append(plots, drawn)
		}
	}
	if len(plots) == 0 {
		return fmt.Errorf("curves: want at least one epoch with a finite value, got none in %d: %w", len(history), ErrInput)
	}
	cols := min(3, len(plots))
	grid := make([][]*plot.Plot, (len(plots)+cols-1)/cols)
	for r := range grid {
		grid[r] = make([]*plot.Plot, cols)
		copy(grid[r], plots[r*cols:])
	}
	img := vgimg.NewWith(vgimg.UseWH(vg.Length(cols*panelW), vg.Length(len(grid)*panelH)), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(color.White))
	tiles := draw.Tiles{Rows: len(grid), Cols: cols, PadTop: 14, PadBottom: 10, PadLeft: 12, PadRight: 18, PadX: 22, PadY: 22}
	for r, canvases := range plot.Align(grid, tiles, draw.New(img)) {
		for c, canvas := range canvases {
			if grid[r][c] != nil {
				grid[r][c].Draw(canvas)
			}
		}
	}
	_, err := vgimg.PngCanvas{Canvas: img}.WriteTo(w)
	return err
}

// plot returns nil if no line has a value.
func (p panel) plot(history []train.Row) (*plot.Plot, error) {
	pl := newPlot(p.title)
	lo, hi := math.Inf(1), math.Inf(-1)
	var best plotter.XY
	for i, s := range p.lines {
		var points plotter.XYs
		for _, row := range history {
			if v := s.value(row); math.Abs(v) < 1e100 { // beyond, and that includes NaN, axes lose their meaning
				points = append(points, plotter.XY{X: float64(row.Epoch), Y: v})
				lo, hi = min(lo, v), max(hi, v)
				if i == 0 && (len(points) == 1 || v > best.Y) {
					best = points[len(points)-1]
				}
			}
		}
		if len(points) == 0 {
			continue
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = s.colour, 2
		dots.GlyphStyle = draw.GlyphStyle{Color: s.colour, Radius: 3, Shape: draw.CircleGlyph{}}
		pl.Add(line)
		if len(points) <= 40 { // beyond, the dots would be a thicker line
			pl.Add(dots)
		}
		if s.name != "" {
			pl.Legend.Add(s.name, line)
		}
	}
	if lo > hi {
		return nil, nil
	}
	if p.markBest {
		if err := ring(pl, best); err != nil {
			return nil, err
		}
	}
	pl.X.Min, pl.X.Max = padded(float64(history[0].Epoch), float64(history[len(history)-1].Epoch), 0.03, 0.5)
	if p.accuracy {
		lo = min(lo, hi-0.005) // a few samples more or less should not fill the panel
	}
	pl.Y.Min, pl.Y.Max = padded(lo, hi, 0.06, 0.1*math.Abs(lo))
	if p.accuracy {
		pl.Legend.Top, pl.Legend.YOffs = false, 8 // where rising curves leave room
		pl.Y.Tick.Marker = ticks{atMost: 1}
	}
	return pl, nil
}

// padded widens a range by a share of it, or by alone to either side if it is a single value.
func padded(lo, hi, share, alone float64) (float64, float64) {
	if lo == hi {
		if alone == 0 {
			alone = 1
		}
		return lo - alone, hi + alone
	}
	d := share * (hi - lo)
	return lo - d, hi + d
}

// ring marks a point and writes its value beside it.
func ring(pl *plot.Plot, at plotter.XY) error {
	mark, err := plotter.NewScatter(plotter.XYs{at})
	if err != nil {
		return err
	}
	mark.GlyphStyle = draw.GlyphStyle{Color: red, Radius: 6, Shape: thickRing{}}
	pl.Add(mark)
	pl.Legend.Add(fmt.Sprintf("best %.4f, epoch %d", at.Y, int(at.X)), mark)
	return nil
}

// thickRing is draw.RingGlyph with a line that one sees.
type thickRing struct{}

func (thickRing) DrawGlyph(c *draw.Canvas, style draw.GlyphStyle, at vg.Point) {
	c.SetLineStyle(draw.LineStyle{Color: style.Color, Width: 2})
	var p vg.Path
	p.Move(vg.Point{X: at.X + style.Radius, Y: at.Y})
	p.Arc(at, style.Radius, 0, 2*math.Pi)
	p.Close()
	c.Stroke(p)
}

// newPlot returns an empty plot in the style of the package.
func newPlot(title string) *plot.Plot {
	pl := plot.New()
	pl.Title.Text = title
	pl.Title.TextStyle.Font = sans(18)
	pl.Title.TextStyle.Color = ink
	pl.Title.Padding = 8
	pl.X.Label.Text = "epoch"
	for _, axis := range []*plot.Axis{&pl.X, &pl.Y} {
		axis.Label.TextStyle.Font = sans(14)
		axis.Label.TextStyle.Color = ink
		axis.Label.Padding = 4
		axis.Tick.Label.Font = sans(13)
		axis.Tick.Label.Color = ink
		axis.LineStyle.Color, axis.Tick.LineStyle.Color = ink, ink
		axis.LineStyle.Width, axis.Tick.LineStyle.Width = 1, 1
		axis.Padding = 0
	}
	pl.X.Tick.Marker = ticks{whole: true}
	pl.Y.Tick.Marker = ticks{}
	pl.Legend.TextStyle.Font = sans(13)
	pl.Legend.TextStyle.Color = ink
	pl.Legend.Top = true
	pl.Legend.Padding = 3
	pl.Legend.XOffs, pl.Legend.YOffs = -4, -4
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = faint, faint
	pl.Add(grid)
	return pl
}
