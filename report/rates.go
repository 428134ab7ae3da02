package report

import (
	"encoding/csv"
	"fmt"
	"image/color"
	"io"
	"math"
	"strconv"

	"github.com/cnnctl/cnnctl/train"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Rates draws a range test as a PNG of 800x500 pixels: the loss of each step and its average against the learning rate, with the suggestions.
// Losses far above the first ones are cut off.
func Rates(w io.Writer, c train.RateCurve) error {
	if len(c.Points) < 2 {
		return fmt.Errorf("range test: want at least two steps with a finite loss, got %d: %w", len(c.Points), ErrInput)
	}
	pl := newPlot("loss against learning rate")
	pl.X.Label.Text, pl.Y.Label.Text = "learning rate", "loss"
	pl.X.Scale, pl.X.Tick.Marker = plot.LogScale{}, decades{}
	lo, hi := math.Inf(1), 0.0
	var each, smooth plotter.XYs
	for i, p := range c.Points {
		lo = min(lo, p.Smooth)
		if i < len(c.Points)/5+1 {
			hi = max(hi, p.Loss, p.Smooth)
		}
		each = append(each, plotter.XY{X: p.LR, Y: p.Loss})
		smooth = append(smooth, plotter.XY{X: p.LR, Y: p.Smooth})
	}
	top := hi + 0.4*(hi-lo)
	for _, p := range each {
		if p.Y <= top {
			lo = min(lo, p.Y)
		}
	}
	dots, err := plotter.NewScatter(below(each, top))
	if err != nil {
		return err
	}
	dots.GlyphStyle = draw.GlyphStyle{Color: color.RGBA{150, 180, 210, 255}, Radius: 2, Shape: draw.CircleGlyph{}}
	line, err := plotter.NewLine(below(smooth, top))
	if err != nil {
		return err
	}
	line.Color, line.Width = blue, 2
	pl.Add(dots, line)
	pl.Legend.Add("loss of a step", dots)
	pl.Legend.Add("its average", line)
	pl.X.Min, pl.X.Max = c.Points[0].LR, c.Points[len(c.Points)-1].LR
	pl.Y.Min, pl.Y.Max = padded(lo, top, 0.03, 0.1*math.Abs(lo))
	for _, s := range []struct {
		name   string
		at     float64
		colour color.RGBA
	}{{"steepest", c.Steepest, orange}, {"valley", c.Valley, green}} {
		if s.at <= 0 {
			continue
		}
		mark, err := plotter.NewLine(plotter.XYs{{X: s.at, Y: pl.Y.Min}, {X: s.at, Y: pl.Y.Max}})
		if err != nil {
			return err
		}
		mark.Color, mark.Width, mark.Dashes = s.colour, 2, []vg.Length{6, 4}
		pl.Add(mark)
		pl.Legend.Add(fmt.Sprintf("%s %.2g", s.name, s.at), mark)
	}
	pl.Legend.Left, pl.Legend.Top = true, false
	pl.Legend.XOffs, pl.Legend.YOffs = 8, 8
	img := vgimg.NewWith(vgimg.UseWH(800, 500), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(color.White))
	pl.Draw(draw.Crop(draw.New(img), 12, -18, 10, -14))
	_, err = vgimg.PngCanvas{Canvas: img}.WriteTo(w)
	return err
}

// below leaves out points above a limit.
func below(points plotter.XYs, limit float64) plotter.XYs {
	var kept plotter.XYs
	for _, p := range points {
		if p.Y <= limit {
			kept = append(kept, p)
		}
	}
	return kept
}

// decades labels the powers of ten.
type decades struct{}

// Ticks implements plot.Ticker.
func (decades) Ticks(lo, hi float64) []plot.Tick {
	const eps = 1e-9
	var list []plot.Tick
	for e := math.Ceil(math.Log10(lo) - eps); e <= math.Log10(hi)+eps; e++ {
		list = append(list, plot.Tick{Value: math.Pow(10, e), Label: strconv.FormatFloat(math.Pow(10, e), 'g', 3, 64)})
	}
	return list
}

// RatesCSV writes the steps of a range test.
func RatesCSV(w io.Writer, c train.RateCurve) error {
	rows := [][]string{{"step", "lr", "loss", "smooth"}}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	for i, p := range c.Points {
		rows = append(rows, []string{strconv.Itoa(i + 1), number(p.LR), number(p.Loss), number(p.Smooth)})
	}
	return csv.NewWriter(w).WriteAll(rows)
}
