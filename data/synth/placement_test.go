package synth

import (
	"math"
	"testing"

	"github.com/cnnctl/cnnctl/philox"
)

// TestPlacementInvertsPose maps the shape's landmarks into the picture with floating point and back with place.
func TestPlacementInvertsPose(t *testing.T) {
	s := philox.New(3, philox.Test, 0, 0)
	for range 500 {
		p := pose{
			angle:  s.IntN(turn),
			shear:  between(s, -percent(40), percent(40)),
			width:  2 * between(s, percent(500), percent(1400)),
			height: 2 * between(s, percent(500), percent(1400)),
			shiftX: between(s, -percent(900), percent(900)),
			shiftY: between(s, -percent(900), percent(900)),
		}
		m := p.place()
		for _, at := range [][2]float64{{0, 0}, {1, 0}, {0, -1}, {-0.7, 0.4}} { // in radii
			// Forward: scale, lean (a positive shear moves the top, where y is negative, to the right), turn, shift.
			w, h := at[0]*float64(p.width)/one, at[1]*float64(p.height)/one
			w -= h * float64(p.shear) / one
			a := 2 * math.Pi * float64(p.angle) / turn
			x := w*math.Cos(a) - h*math.Sin(a) + float64(p.shiftX)/one
			y := w*math.Sin(a) + h*math.Cos(a) + float64(p.shiftY)/one
			u := (float64(m.u0) + float64(m.au)*x + float64(m.bu)*y) / one
			v := (float64(m.v0) + float64(m.av)*x + float64(m.bv)*y) / one
			wantU, wantV := cells/2+radius*at[0], cells/2+radius*at[1]
			if math.Abs(u-wantU) > 0.03 || math.Abs(v-wantV) > 0.03 {
				t.Fatalf("%+v: the point %v comes back as (%.3f, %.3f), want (%.3f, %.3f)", p, at, u, v, wantU, wantV)
			}
		}
	}
}

// TestDigitPosesAreLegible bounds how far an upright stem leans in a picture: a 6 that stood on its head would be a 9,
// a 1 on its side a dash.
func TestDigitPosesAreLegible(t *testing.T) {
	var p digitPainter
	var most float64
	for i := range 20000 {
		at := p.pose(philox.New(5, philox.Test, 1, i))
		m := at.place()
		// A stem is where u does not change: au·x + bu·y = 0, so its direction is (bu, -au).
		lean := math.Abs(math.Atan2(float64(m.bu), float64(m.au))) * 180 / math.Pi
		most = max(most, lean)
		if base := math.Abs(math.Atan2(float64(m.av), float64(m.bv))) * 180 / math.Pi; base > 17.5 {
			t.Fatalf("%+v: the baseline turns by %.1f degrees", at, base)
		}
	}
	if most > 32 || most < 15 {
		t.Errorf("stems lean by up to %.1f degrees, want 15 to 32", most)
	}
}

func TestSpline(t *testing.T) {
	for _, n := range []int{digitSize, shapeSize} {
		sp := newSpline(n)
		for k, w := range sp {
			if w[0]+w[1]+w[2] != one || min(w[0], w[1], w[2]) < 0 {
				t.Errorf("size %d, weights %d: %v do not sum to one", n, k, w)
			}
		}
		// A linear row of control points, half an interval outside at each end, is reproduced.
		var c [controls]int
		for i := range c {
			c[i] = (2*i - (controls - 1)) * 1000
		}
		for x := range n {
			want := (2*x + 1 - n) * 1000 * knots / n
			if got := sp.at(&c, x); got < want-3 || got > want+3 {
				t.Errorf("size %d, x %d: %d, want %d", n, x, got, want)
			}
		}
	}
}

func TestProjectDisc(t *testing.T) {
	disc := figure(arc(0, 0, 1, 0, 345))
	m := pose{width: 2 * percent(800), height: 2 * percent(800), shiftX: 2 * percent(200)}.place()
	dist := make([]int, shapeSize*shapeSize)
	project(dist, newSpline(shapeSize), blend{a: disc, b: disc}, m)
	for y := range shapeSize {
		for x := range shapeSize {
			// 8 pixels are 15 cells, so distances come 15/8 times larger.
			r := math.Hypot(float64(x)+0.5-16-2, float64(y)+0.5-16)
			want := (r - 8) * radius * unit / 8
			if got := float64(dist[y*shapeSize+x]); r < 12 && math.Abs(got-want) > 0.25*unit {
				t.Errorf("(%d, %d): distance %.1f, want %.1f", x, y, got, want)
			}
		}
	}
}

func TestCover(t *testing.T) {
	for _, c := range []struct{ d, edge, want int }{
		{0, 100, 128}, {-50, 100, 256}, {50, 100, 0}, {-500, 100, 256}, {500, 100, 0}, {25, 100, 64}, {-1, 1, 256},
	} {
		if got := cover(c.d, c.edge); got != c.want {
			t.Errorf("cover(%d, %d) = %d, want %d", c.d, c.edge, got, c.want)
		}
	}
}
