package synth

import "math"

// The figures of the set "shapes" and the stray marks of "digits", as polygons about the middle of a field. Lengths
// are fractions of radius; curves are polygons of many sides. Angles are in degrees, clockwise from the right.

// polar returns the point at an angle and a distance.
func polar(deg, r float64) [2]float64 {
	a := deg * math.Pi / 180
	return [2]float64{r * math.Cos(a), r * math.Sin(a)}
}

// arc returns points from one angle to another on a circle about (x, y).
func arc(x, y, r, from, to float64) [][2]float64 {
	const steps = 24
	var c [][2]float64
	for i := range steps + 1 {
		p := polar(from+(to-from)*float64(i)/steps, r)
		c = append(c, [2]float64{x + p[0], y + p[1]})
	}
	return c
}

// regular returns n corners at distance r from the middle, the first one on top.
func regular(n int, r float64) [][2]float64 {
	var c [][2]float64
	for i := range n {
		c = append(c, polar(-90+360*float64(i)/float64(n), r))
	}
	return c
}

// figure rounds outlines to the field's units and computes the field.
func figure(contours ...[][2]float64) *field {
	var rounded [][]point
	for _, c := range contours {
		var q []point
		for _, p := range c {
			q = append(q, point{
				middle + int(math.Round(p[0]*radius*unit)),
				middle + int(math.Round(p[1]*radius*unit)),
			})
		}
		rounded = append(rounded, q)
	}
	return newField(rounded)
}

// star returns five points with notches at distance inner between them.
func star(inner float64) [][2]float64 {
	var c [][2]float64
	for i := range 5 {
		c = append(c, polar(-90+72*float64(i), 1), polar(-54+72*float64(i), inner))
	}
	return c
}

// bow returns the outline of a stroke of the given half width along a circle's arc, with flat ends.
func bow(r, from, to, half float64) [][2]float64 {
	mid := (from + to) / 2
	shift := polar(mid, r) // brings the middle of the bow to the origin
	c := arc(-shift[0], -shift[1], r+half, from, to)
	return append(c, arc(-shift[0], -shift[1], r-half, to, from)...)
}

// heart returns two half circles above a point.
func heart() [][2]float64 {
	c := arc(-0.45, -0.35, 0.5, 150, 335)
	c = append(c, arc(0.45, -0.35, 0.5, 205, 390)...)
	return append(c, [2]float64{0, 0.95})
}

// crescent returns a disc less a disc of the same size to its right.
func crescent() [][2]float64 {
	// The circles of radius 1 about (0, 0) and 0.85 about (0.5, 0) meet at x = (1 + 0.25 - 0.7225)/(2*0.5).
	const x = 0.5275
	y := math.Sqrt(1 - x*x)
	outer := math.Atan2(y, x) * 180 / math.Pi
	inner := math.Atan2(y, x-0.5) * 180 / math.Pi
	c := arc(0.25, 0, 1, outer, 360-outer)
	return append(c, arc(0.75, 0, 0.85, 360-inner, inner)...)
}

// strayMarks returns what a pen leaves by accident: a dash, two hooks and a speck.
func strayMarks() []*field {
	return []*field{
		figure([][2]float64{{-1, -0.12}, {1, -0.12}, {1, 0.12}, {-1, 0.12}}),
		figure(bow(1.2, -50, 50, 0.12)),
		figure(bow(0.6, -80, 80, 0.14)),
		figure(regular(7, 0.35)),
	}
}

// A kind is one class of "shapes".
type kind struct {
	name string
	*field
}

// kinds returns the ten classes, in the order of their labels. No two of them are the same after a rotation.
func kinds() []kind {
	const b = 0.33 // half the width of a beam
	return []kind{
		{"circle", figure(arc(0, 0, 0.9, 0, 345))},
		{"square", figure(regular(4, 1.1))},
		{"triangle", figure(regular(3, 1.15))},
		{"star", figure(star(0.42))},
		{"ring", figure(arc(0, 0, 0.95, 0, 345), arc(0, 0, 0.5, 345, 0))},
		{"cross", figure([][2]float64{
			{-b, -1}, {b, -1}, {b, -b}, {1, -b}, {1, b}, {b, b}, {b, 1}, {-b, 1}, {-b, b}, {-1, b}, {-1, -b}, {-b, -b},
		})},
		{"heart", figure(heart())},
		{"crescent", figure(crescent())},
		{"arrow", figure([][2]float64{
			{0, -1.1}, {0.8, -0.2}, {0.28, -0.2}, {0.28, 1}, {-0.28, 1}, {-0.28, -0.2}, {-0.8, -0.2},
		})},
		{"bolt", figure([][2]float64{
			{0.3, -1.1}, {-0.65, 0.2}, {-0.1, 0.2}, {-0.3, 1.1}, {0.65, -0.25}, {0.1, -0.25},
		})},
	}
}
