package synth

import "math"

// A field is a shape as its signed distance, sampled on a grid: how far each grid point lies from the outline, negative
// inside. Frisken et al., "Adaptively Sampled Distance Fields" (SIGGRAPH 2000), section 2, gives the reasons that
// count here: adding a constant makes the stroke thicker or thinner, the slope of the edge is known so that
// antialiasing and blur are one clamp, and a weighted sum of two fields is a shape between the two.
type field struct {
	d     [cells * cells]int16 // (row, column), in 1/unit of a cell
	depth int                  // distance of the innermost grid point from the outline: half the thickest stroke
}

const (
	cells  = 48 // grid points along each side of a field; the point (i, j) lies at x = i, y = j
	unit   = 64 // outline coordinates and distances per cell
	radius = 15 // shapes extend about this many cells from the middle; the rest is margin, so that distances outside are right too
	middle = cells * unit / 2
)

// A point is a position on the grid in 1/unit of a cell, y downwards.
type point struct{ x, y int }

// edge is one side of a polygon. All members are integers below 2^26, and so are all products of two exact: the
// distances do not depend on whether a machine fuses multiplication and addition.
type edge struct {
	x, y   float64 // start
	ex, ey float64 // end minus start
	len2   float64
	inv    float64 // 1/len2
}

// newField computes the field of closed polygons, filled by the non-zero winding rule.
func newField(contours [][]point) *field {
	var edges []edge
	for _, c := range contours {
		for i, p := range c {
			q := c[(i+1)%len(c)]
			if p == q {
				continue
			}
			ex, ey := float64(q.x-p.x), float64(q.y-p.y)
			len2 := ex*ex + ey*ey
			edges = append(edges, edge{float64(p.x), float64(p.y), ex, ey, len2, 1 / len2})
		}
	}
	f := new(field)
	for j := range cells {
		for i := range cells {
			d := signedDistance(edges, float64(i*unit), float64(j*unit))
			f.d[j*cells+i] = int16(d)
			f.depth = max(f.depth, -d)
		}
	}
	return f
}

// signedDistance returns the distance of (x, y) from the nearest edge, negative inside.
func signedDistance(edges []edge, x, y float64) int {
	best := math.Inf(1) // squared
	winding := 0
	for k := range edges {
		e := &edges[k]
		dx, dy := x-e.x, y-e.y
		cross := dx*e.ey - dy*e.ex
		switch dot := dx*e.ex + dy*e.ey; {
		case dot <= 0:
			best = min(best, dx*dx+dy*dy)
		case dot < e.len2: // past the end, the next edge's start is nearer or as near
			best = min(best, cross*cross*e.inv)
		}
		// An upward and a downward edge to one side of the point undo each other.
		if (dy < 0) != (dy < e.ey) {
			if e.ey < 0 && cross < 0 {
				winding++
			} else if e.ey > 0 && cross > 0 {
				winding--
			}
		}
	}
	d := int(math.Round(math.Sqrt(best)))
	if winding != 0 {
		return -d
	}
	return d
}

// at returns the distance at (u, v), in cells with fracBits fraction bits, by bilinear interpolation. Positions
// outside the grid get the value of the border, which is far outside the shape.
func (f *field) at(u, v int) int {
	const most = (cells-1)<<fracBits - 1
	u, v = min(max(u, 0), most), min(max(v, 0), most)
	i := v>>fracBits*cells + u>>fracBits
	fu, fv := u&(one-1)>>4, v&(one-1)>>4 // eight bits: products stay within 32 bits
	row := f.d[i : i+cells+2]
	top := int(row[0])<<8 + (int(row[1])-int(row[0]))*fu
	bottom := int(row[cells])<<8 + (int(row[cells+1])-int(row[cells]))*fu
	return (top + (bottom-top)*fv>>8) >> 8
}
