package synth

import (
	"math"
	"strings"
	"testing"

	"golang.org/x/image/font/gofont/goregular"
)

// TestFieldOfSquare compares with the distance in closed form.
func TestFieldOfSquare(t *testing.T) {
	const h = 10 // half side in cells
	lo, hi := middle-h*unit, middle+h*unit
	for name, c := range map[string][]point{
		"clockwise":        {{lo, lo}, {hi, lo}, {hi, hi}, {lo, hi}},
		"counterclockwise": {{lo, lo}, {lo, hi}, {hi, hi}, {hi, lo}},
		"repeated points":  {{lo, lo}, {lo, lo}, {hi, lo}, {hi, hi}, {hi, hi}, {lo, hi}, {lo, lo}},
	} {
		f := newField([][]point{c})
		for j := range cells {
			for i := range cells {
				x, y := math.Abs(float64(i-cells/2))-h, math.Abs(float64(j-cells/2))-h
				want := math.Hypot(max(x, 0), max(y, 0)) + min(max(x, y), 0)
				if got := float64(f.d[j*cells+i]) / unit; math.Abs(got-want) > 1.0/unit {
					t.Fatalf("%s: distance %.3f at (%d, %d), want %.3f", name, got, i, j, want)
				}
			}
		}
		if f.depth != h*unit {
			t.Errorf("%s: depth %d, want %d", name, f.depth, h*unit)
		}
	}
}

func TestFieldHoles(t *testing.T) {
	c := arc(0, 0, 1, 0, 345)
	same := arc(0, 0, 0.5, 0, 345)
	hole := arc(0, 0, 0.5, 345, 0)
	const mid = cells/2*cells + cells/2
	if d := figure(c, hole).d[mid]; d < 6*unit {
		t.Errorf("a contour wound the other way is no hole: distance %d in the middle", d)
	}
	if d := figure(c, same).d[mid]; d > -6*unit {
		t.Errorf("a contour wound the same way is a hole: distance %d in the middle", d)
	}
}

// TestFieldAt interpolates a field that is linear along each axis, where bilinear interpolation is exact.
func TestFieldAt(t *testing.T) {
	f := new(field)
	for j := range cells {
		for i := range cells {
			f.d[j*cells+i] = int16(32*i - 16*j)
		}
	}
	for _, c := range []struct{ u, v, want int }{
		{0, 0, 0}, {one, 0, 32}, {one / 2, 0, 16}, {0, one / 2, -8}, {10*one + one/4, 3*one + one/2, 328 - 56},
		{-5 * one, -one, 0}, {cells * one, 0, 32*(cells-1) - 1}, {1 << 24, 1 << 24, 16*(cells-1) - 1},
	} {
		if got := f.at(c.u, c.v); got < c.want-1 || got > c.want+1 {
			t.Errorf("at(%d, %d) = %d, want %d", c.u, c.v, got, c.want)
		}
	}
}

func TestGlyphErrors(t *testing.T) {
	if _, err := glyphs([]byte("not a font"), "0"); err == nil {
		t.Error("no error for bytes that are no font")
	}
	if _, err := glyphs(goregular.TTF, "\U0001F600"); err == nil || !strings.Contains(err.Error(), "no glyph") {
		t.Errorf("a character without a glyph: error %v", err)
	}
}

// TestFaces checks what digits need of a typeface: strokes that survive 20 pixels' height, and counters.
func TestFaces(t *testing.T) {
	unseen := 0
	for _, f := range faces() {
		if f.unseen {
			unseen++
		}
		for digit, g := range f.digits {
			if px := float64(g.depth) * 20 / (2 * radius * unit); px < 0.5 || px > 3.5 {
				t.Errorf("%s, %d: half the stroke's width is %.2f pixels of 20", f.name, digit, px)
			}
		}
		// The counters of 6 and 9 lie in the lower and in the upper half; the lower half of a 9 is open to the left.
		six, nine := f.digits[6], f.digits[9]
		for _, c := range []struct {
			g    *field
			row  int
			name string
		}{{six, cells/2 + radius/2, "6"}, {nine, cells/2 - radius/2, "9"}} {
			if d := c.g.d[c.row*cells+cells/2]; d <= 0 {
				t.Errorf("%s: the counter of %s is filled (distance %d)", f.name, c.name, d)
			}
		}
	}
	if unseen != 4 {
		t.Errorf("%d faces are kept for validation, want 4", unseen)
	}
}
