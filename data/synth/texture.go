package synth

import "github.com/cnnctl/cnnctl/philox"

// rgb is a colour; its channels are 0 to 255.
type rgb [3]int

// mix returns the colour m parts of 256 from c to d.
func (c rgb) mix(d rgb, m int) rgb {
	return rgb{c[0] + (d[0]-c[0])*m>>8, c[1] + (d[1]-c[1])*m>>8, c[2] + (d[2]-c[2])*m>>8}
}

// distance weighs the channels' differences roughly as the eye does; black and white are 255*10 apart.
func (c rgb) distance(d rgb) int {
	weight := [3]int{3, 5, 2}
	sum := 0
	for k := range c {
		sum += weight[k] * max(c[k]-d[k], d[k]-c[k])
	}
	return sum
}

func anyColour(s *philox.Stream) rgb {
	return rgb{between(s, 0, 255), between(s, 0, 255), between(s, 0, 255)}
}

// palette chooses two colours for the background and two for the shape, such that the shape stands out: each of its
// colours differs from each of the background's. The two of a pair are alike.
func palette(s *philox.Stream) (ground, figure [2]rgb) {
	const apart, tries = 900, 40
	ground[0] = anyColour(s)
	ground[1] = ground[0].mix(anyColour(s), between(s, 30, 110))
	best := -1
	for range tries {
		var f [2]rgb
		f[0] = anyColour(s)
		f[1] = f[0].mix(anyColour(s), between(s, 0, 70))
		d := min(f[0].distance(ground[0]), f[0].distance(ground[1]), f[1].distance(ground[0]), f[1].distance(ground[1]))
		if d > best {
			best, figure = d, f
		}
		if best >= apart {
			break
		}
	}
	return ground, figure
}

// texture fills p.mix with a pattern: a gradient, stripes, a checkerboard, or clouds.
func (p *shapePainter) texture(s *philox.Stream) {
	angle := s.IntN(turn)
	dx, dy := cos(angle), sin(angle)
	phase := s.IntN(turn)
	switch s.IntN(4) {
	case 0: // gradient
		p.fill(func(x, y int) int { return 128 + (dx*x+dy*y)*10>>fracBits })
	case 1: // stripes, 5 to 16 pixels a period
		f := turn / between(s, 5, 16)
		p.fill(func(x, y int) int { return 128 + sin((dx*x+dy*y)*f>>fracBits+phase)>>5 })
	case 2: // checkerboard with soft edges
		f := turn / between(s, 7, 18)
		p.fill(func(x, y int) int {
			a, b := sin((dx*x+dy*y)*f>>fracBits+phase), sin((dx*y-dy*x)*f>>fracBits)
			return 128 + mul(a, b)*4>>5
		})
	case 3: // clouds: a smooth random surface
		var grid [controls][controls]int
		for j := range grid {
			for i := range grid[j] {
				grid[j][i] = between(s, -60, 316)
			}
		}
		for y := range shapeSize {
			c := p.spline.column(&grid, y)
			for x := range shapeSize {
				p.mix[y*shapeSize+x] = min(max(p.spline.at(&c, x), 0), 256)
			}
		}
	}
}

// fill evaluates a pattern at each pixel, counted from the middle.
func (p *shapePainter) fill(at func(x, y int) int) {
	for y := range shapeSize {
		for x := range shapeSize {
			p.mix[y*shapeSize+x] = min(max(at(x-shapeSize/2, y-shapeSize/2), 0), 256)
		}
	}
}
