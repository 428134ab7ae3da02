package synth

import (
	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/philox"
)

const (
	shapeSize     = 32
	shapesInTrain = 10000
	shapesInVal   = 2000
)

// Shapes draws 10,000 pictures for training and 2,000 for validation, 32x32 pixels, RGB: one shape each, of any
// colour, angle and size, partly hidden in some, on a textured background. Neither colour nor place tells the class, so
// a linear model hardly beats chance where a small convolutional network exceeds 95 % in a few epochs.
func Shapes(seed uint64) *data.Source {
	return source("shapes", seed,
		shapePart("shapes/train", seed, shapesTrain, shapesInTrain),
		shapePart("shapes/val", seed, shapesVal, shapesInVal))
}

// shapePart draws the first n pictures of a part, whose number in the random streams is id.
func shapePart(name string, seed uint64, id, n int) *pictures {
	list := kinds()
	var classes []string
	for _, k := range list {
		classes = append(classes, k.name)
	}
	screen := figure(regular(4, 1.1))
	p := pictures{name: name, classes: classes, size: shapeSize, channels: 3, n: n}
	return draw(p, func() painter {
		d := &shapePainter{spline: newSpline(shapeSize), kinds: list, screen: screen}
		return func(pix []uint8, i int) {
			s := philox.MakeStream(seed, philox.Generate, id, i)
			d.paint(pix, i%len(list), &s)
		}
	})
}

type shapePainter struct {
	spline spline
	kinds  []kind
	screen *field // what occludes: a square
	warp   warp
	pix    [shapeSize * shapeSize]rgb
	mix    [shapeSize * shapeSize]int // 0 to 256: how far a pixel is from a texture's first colour
	dist   [shapeSize * shapeSize]int
}

// paint draws one picture of a class into pix, (32, 32, 3).
func (p *shapePainter) paint(pix []uint8, class int, s *philox.Stream) {
	ground, figure := palette(s)
	p.texture(s)
	for i, m := range p.mix {
		p.pix[i] = ground[0].mix(ground[1], m)
	}
	p.figure(class, figure, s)
	if chance(s, 25) {
		p.occlude(s)
	}
	p.develop(pix, s)
}

// figure draws the shape itself, with a texture of its own and now and then a contour.
func (p *shapePainter) figure(class int, colours [2]rgb, s *philox.Stream) {
	half := between(s, percent(900), percent(1300)) // half the shape's size in pixels
	room := min(percent(1550)-half, percent(450))
	at := pose{
		angle:  s.IntN(turn),
		shear:  bell(s, -percent(20), percent(20)),
		height: 2 * half,
		width:  2 * mul(half, between(s, percent(82), percent(118))),
		shiftX: 2 * between(s, -room, room),
		shiftY: 2 * between(s, -room, room),
	}
	m := at.place()
	p.warp.draw(s, percent(90), percent(3))
	m.warp = &p.warp
	f := p.kinds[class].field
	project(p.dist[:], p.spline, blend{a: f, b: f}, m)

	p.texture(s)
	pixel := radius * unit * one / half
	edge := mul(pixel, between(s, percent(100), percent(180)))
	rim := 0 // width of the contour
	if chance(s, 25) {
		rim = mul(pixel, between(s, percent(80), percent(150)))
	}
	rimColour := anyColour(s)
	for i, d := range p.dist {
		covered := cover(d, edge)
		if covered == 0 {
			continue
		}
		c := colours[0].mix(colours[1], p.mix[i])
		if rim > 0 {
			c = rimColour.mix(c, cover(d+rim, edge))
		}
		p.pix[i] = p.pix[i].mix(c, covered)
	}
}

// occlude puts something in front: a few pixels wide and never near the picture's middle, so that it hides a part of
// the shape at most.
func (p *shapePainter) occlude(s *philox.Stream) {
	half := between(s, percent(200), percent(350))
	m := pose{
		angle:  s.IntN(turn),
		height: 2 * half,
		width:  2 * mul(half, between(s, percent(80), percent(200))),
		shiftX: 2 * aside(s),
		shiftY: 2 * aside(s),
	}.place()
	f := p.screen
	project(p.dist[:], p.spline, blend{a: f, b: f}, m)
	colour := anyColour(s)
	edge := radius * unit * one / half
	for i, d := range p.dist {
		if covered := cover(d, edge); covered > 0 {
			p.pix[i] = p.pix[i].mix(colour, covered)
		}
	}
}

// aside returns a coordinate that is not near the picture's middle, in pixels.
func aside(s *philox.Stream) int {
	d := between(s, percent(700), percent(1500))
	if chance(s, 50) {
		return -d
	}
	return d
}

// develop adds light and grain and writes bytes.
func (p *shapePainter) develop(pix []uint8, s *philox.Stream) {
	grain := between(s, 1, 14)
	light := between(s, 200, 280) // of 256
	var g noise
	for i, c := range p.pix {
		for k := range c {
			v := c[k]*light>>8 + g.next(s)*grain>>8
			pix[3*i+k] = uint8(min(max(v, 0), 255))
		}
	}
}
