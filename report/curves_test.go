package report

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"slices"
	"testing"

	"github.com/cnnctl/cnnctl/train"
)

func TestCurves(t *testing.T) {
	nan := math.NaN()
	alone := []train.Row{{Epoch: 1, TrainLoss: 0.5, ValLoss: 0.4, Top1: 0.9, Top5: 1, LR: 0.01}}
	noTop5 := sampleHistory(12)
	for i := range noTop5 {
		noTop5[i].Top5 = nan
	}
	diverged := sampleHistory(6)
	diverged[4].TrainLoss = math.MaxFloat64
	diverged[5] = train.Row{Epoch: 6, TrainLoss: nan, ValLoss: math.Inf(1), Seconds: 1, Top1: nan, Top5: nan, LR: 0.05}
	cases := []struct {
		name string
		rows []train.Row
		w, h int
	}{
		{"10 epochs", sampleHistory(10), 1200, 800},
		{"300 epochs", sampleHistory(300), 1200, 800},
		{"one epoch", alone, 1200, 800},
		{"no top-5", noTop5, 1200, 800},
		{"diverged", diverged, 1200, 800},
		{"only losses", []train.Row{{Epoch: 1, TrainLoss: 1, ValLoss: nan, Top1: nan, Top5: nan, LR: nan}, {Epoch: 2, TrainLoss: 0, ValLoss: nan, Top1: nan, Top5: nan, LR: nan}}, 800, 400},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var b, again bytes.Buffer
			if err := Curves(&b, c.rows); err != nil {
				t.Fatal(err)
			}
			keep(t, fmt.Sprintf("results-%s.png", c.name), &b)
			if err := Curves(&again, c.rows); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
				t.Errorf("the second drawing differs (error %v)", err)
			}
			img, err := png.Decode(&b)
			if err != nil {
				t.Fatal(err)
			}
			if img.Bounds() != image.Rect(0, 0, c.w, c.h) {
				t.Errorf("got a picture of %v, want %dx%d", img.Bounds(), c.w, c.h)
			}
			if share := inked(img); share < 0.005 || share > 0.2 {
				t.Errorf("%.2f %% of the picture is drawn on, want 0.5 to 20", 100*share)
			}
		})
	}
}

// inked returns the share of pixels that are not nearly white.
func inked(img image.Image) float64 {
	r := img.Bounds()
	n := 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if cr, cg, cb, _ := img.At(x, y).RGBA(); cr+cg+cb < 3*0xd800 {
				n++
			}
		}
	}
	return float64(n) / float64(r.Dx()*r.Dy())
}

func TestCurvesWithoutValues(t *testing.T) {
	nan := math.NaN()
	for _, rows := range [][]train.Row{nil, {{Epoch: 1, TrainLoss: nan, ValLoss: nan, Top1: nan, Top5: nan, LR: nan}}} {
		if err := Curves(&bytes.Buffer{}, rows); !errors.Is(err, ErrInput) {
			t.Errorf("%d rows: got %v, want ErrInput", len(rows), err)
		}
	}
}

func TestTicks(t *testing.T) {
	cases := []struct {
		lo, hi float64
		kind   ticks
		want   []string
	}{
		{0, 2, ticks{whole: true}, []string{"0", "1", "2"}},
		{-0.5, 2, ticks{whole: true}, []string{"0", "1", "2"}},
		{0.5, 1.5, ticks{whole: true}, []string{"1"}},
		{0.7, 10.3, ticks{whole: true}, []string{"2", "4", "6", "8", "10"}},
		{1, 300, ticks{whole: true}, []string{"50", "100", "150", "200", "250", "300"}},
		{0.14, 1.3, ticks{}, []string{"0.2", "0.4", "0.6", "0.8", "1.0", "1.2"}},
		{0.966, 1.012, ticks{atMost: 1}, []string{"0.97", "0.98", "0.99", "1.00"}},
		{0, 0.05, ticks{}, []string{"0.00", "0.01", "0.02", "0.03", "0.04", "0.05"}},
		{0, 3e-6, ticks{}, []string{"0", "5e-07", "1e-06", "1.5e-06", "2e-06", "2.5e-06", "3e-06"}},
		{0, 9000, ticks{}, []string{"0", "2000", "4000", "6000", "8000"}},
	}
	for _, c := range cases {
		var got []string
		for _, tick := range c.kind.Ticks(c.lo, c.hi) {
			got = append(got, tick.Label)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v to %v, %+v: got ticks %q, want %q", c.lo, c.hi, c.kind, got, c.want)
		}
	}
}
