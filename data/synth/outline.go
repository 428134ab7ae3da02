package synth

import (
	"fmt"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// glyphs returns the fields of the characters of one font, each centred and scaled to the same height, so that two
// faces' fields of one character can be blended.
func glyphs(ttf []byte, chars string) ([]*field, error) {
	f, err := sfnt.Parse(ttf)
	if err != nil {
		return nil, fmt.Errorf("font: %w", err)
	}
	var buf sfnt.Buffer
	var fields []*field
	for _, r := range chars {
		g, err := f.GlyphIndex(&buf, r)
		if err != nil {
			return nil, fmt.Errorf("font, character %q: %w", r, err)
		}
		if g == 0 {
			return nil, fmt.Errorf("font: no glyph for %q; choose a face that has it", r)
		}
		segs, err := f.LoadGlyph(&buf, g, fixed.I(1024), nil)
		if err != nil {
			return nil, fmt.Errorf("font, character %q: %w", r, err)
		}
		fields = append(fields, newField(normalise(flatten(segs))))
	}
	return fields, nil
}

// flatten replaces the curves of an outline by line segments. Coordinates stay as they are: 26.6 fixed point.
func flatten(segs sfnt.Segments) [][]point {
	const steps = 4 // per curve: the error is far below a cell at 1024 units an em
	var contours [][]point
	var c []point
	for _, s := range segs {
		a := s.Args
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			if len(c) > 0 {
				contours = append(contours, c)
			}
			c = []point{toPoint(a[0])}
		case sfnt.SegmentOpLineTo:
			c = append(c, toPoint(a[0]))
		case sfnt.SegmentOpQuadTo:
			p0, p1, p2 := c[len(c)-1], toPoint(a[0]), toPoint(a[1])
			for t := 1; t <= steps; t++ {
				r := steps - t
				c = append(c, point{
					(r*r*p0.x + 2*r*t*p1.x + t*t*p2.x) / (steps * steps),
					(r*r*p0.y + 2*r*t*p1.y + t*t*p2.y) / (steps * steps),
				})
			}
		case sfnt.SegmentOpCubeTo:
			p0, p1, p2, p3 := c[len(c)-1], toPoint(a[0]), toPoint(a[1]), toPoint(a[2])
			for t := 1; t <= steps; t++ {
				r := steps - t
				c = append(c, point{
					(r*r*r*p0.x + 3*r*r*t*p1.x + 3*r*t*t*p2.x + t*t*t*p3.x) / (steps * steps * steps),
					(r*r*r*p0.y + 3*r*r*t*p1.y + 3*r*t*t*p2.y + t*t*t*p3.y) / (steps * steps * steps),
				})
			}
		}
	}
	if len(c) > 0 {
		contours = append(contours, c)
	}
	return contours
}

func toPoint(p fixed.Point26_6) point { return point{int(p.X), int(p.Y)} }

// normalise moves the outline's bounding box to the middle of a field and scales it to a height of 2*radius cells.
func normalise(contours [][]point) [][]point {
	if len(contours) == 0 {
		return nil
	}
	lo, hi := contours[0][0], contours[0][0]
	for _, c := range contours {
		for _, p := range c {
			lo = point{min(lo.x, p.x), min(lo.y, p.y)}
			hi = point{max(hi.x, p.x), max(hi.y, p.y)}
		}
	}
	height := max(hi.y-lo.y, 1)
	for _, c := range contours {
		for i, p := range c {
			c[i] = point{
				middle + (2*p.x-lo.x-hi.x)*radius*unit/height,
				middle + (2*p.y-lo.y-hi.y)*radius*unit/height,
			}
		}
	}
	return contours
}
