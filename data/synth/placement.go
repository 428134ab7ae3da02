package synth

import "github.com/cnnctl/cnnctl/philox"

// A placement maps the pixels of a square picture to positions on a field: an affine map plus a smooth warp.
type placement struct {
	au, bu, av, bv int // u = u0 + au·x + bu·y, v likewise; x and y in half pixels from the picture's middle
	u0, v0         int
	warp           *warp // nil: none
}

// pose is a placement in terms of what it does to the shape.
type pose struct {
	angle          int // clockwise, in angle units
	shear          int // fixed point: the shape leans by this many units of width per unit of height
	width, height  int // what radius cells come to in the picture: fixed point, in half pixels
	shiftX, shiftY int // of the shape's middle: fixed point, in half pixels
}

// place returns the map from pixels back to the field.
func (p pose) place() placement {
	s, c := sin(p.angle), cos(p.angle)
	gx, gy := radius*one*one/p.width, radius*one*one/p.height // cells per half pixel
	// Undo the rotation, then the shear, then the scale.
	m := placement{
		au: mul(gx, c-mul(p.shear, s)), bu: mul(gx, s+mul(p.shear, c)),
		av: mul(gy, -s), bv: mul(gy, c),
	}
	m.u0 = cells*one/2 - mul(m.au, p.shiftX) - mul(m.bu, p.shiftY)
	m.v0 = cells*one/2 - mul(m.av, p.shiftX) - mul(m.bv, p.shiftY)
	return m
}

// A warp is a displacement that varies smoothly over the picture: a uniform quadratic B-spline with knots at a quarter
// of the picture's side, which is the free-form deformation of Sederberg and Parry (SIGGRAPH 1986) with local support.
// It stands for what pens, paper and lenses do: wobbling strokes, bent stems, a picture taken from one side.
type warp struct {
	u, v [controls][controls]int // (row, column), fixed point
}

const (
	knots    = 4
	controls = knots + 2
)

// draw chooses displacements of at most amplitude (fixed point, in cells) and a keystone: the shape grows by up to the
// fraction keystone (fixed point) towards one side and shrinks towards the other.
func (w *warp) draw(s *philox.Stream, amplitude, keystone int) {
	kx, ky := between(s, -keystone, keystone), between(s, -keystone, keystone)
	for j := range controls {
		for i := range controls {
			// Control points lie half an interval apart from the knots. The product of x and y is within the spline's
			// span, so the keystone is exact: in the picture's corners, where |x| and |y| are 4, it is 24 cells' worth.
			x, y := 2*i-(controls-1), 2*j-(controls-1)
			w.u[j][i] = between(s, -amplitude, amplitude) + 3*kx*x*y/2
			w.v[j][i] = between(s, -amplitude, amplitude) + 3*ky*x*y/2
		}
	}
}

// A spline holds the three weights of each pixel of one knot interval, for pictures of one size. They sum to one.
type spline [][3]int

// newSpline returns the weights for pictures of n pixels a side; knots must divide n.
func newSpline(n int) spline {
	t := make(spline, n/knots)
	for k := range t {
		m, s := 2*k+1, 2*len(t) // the pixel's middle is m/s of the way through the interval
		first := (s - m) * (s - m) * one / (2 * s * s)
		last := m * m * one / (2 * s * s)
		t[k] = [3]int{first, one - first - last, last}
	}
	return t
}

// column blends the rows of grid for pixel row y.
func (t spline) column(grid *[controls][controls]int, y int) (c [controls]int) {
	j, w := y/len(t), t[y%len(t)]
	for i := range c {
		c[i] = (w[0]*grid[j][i] + w[1]*grid[j+1][i] + w[2]*grid[j+2][i]) >> fracBits
	}
	return c
}

// at evaluates a blended row at pixel column x.
func (t spline) at(c *[controls]int, x int) int {
	i, w := x/len(t), &t[x%len(t)]
	return (w[0]*c[i] + w[1]*c[i+1] + w[2]*c[i+2]) >> fracBits
}

// A blend is the shape between two fields: from a (mix 0) to b (mix 256).
type blend struct {
	a, b *field
	mix  int
}

// depth returns half the thickest stroke of the blend, in 1/unit of a cell.
func (b blend) depth() int { return (b.a.depth*(256-b.mix) + b.b.depth*b.mix) >> 8 }

// project writes the distance of each pixel's middle from the placed shape to dst, (n, n), in 1/unit of a cell.
func project(dst []int, t spline, b blend, m placement) {
	n := len(t) * knots
	for y := range n {
		var cu, cv [controls]int
		if m.warp != nil {
			cu, cv = t.column(&m.warp.u, y), t.column(&m.warp.v, y)
		}
		hy := 2*y + 1 - n
		row := dst[y*n : y*n+n]
		for x := range row {
			hx := 2*x + 1 - n
			u := m.u0 + m.au*hx + m.bu*hy
			v := m.v0 + m.av*hx + m.bv*hy
			if m.warp != nil {
				u += t.at(&cu, x)
				v += t.at(&cv, x)
			}
			d := b.a.at(u, v)
			if b.mix != 0 {
				d += (b.b.at(u, v) - d) * b.mix >> 8
			}
			row[x] = d
		}
	}
}

// cover returns how much of a pixel, of 256 parts, a shape covers whose outline is d away; edge is the width of the
// transition, which is one pixel for a sharp picture and more for a blurred one. Both are in 1/unit of a cell.
func cover(d, edge int) int { return min(max(128-d*256/edge, 0), 256) }
