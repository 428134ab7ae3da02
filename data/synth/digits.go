package synth

import (
	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/philox"
)

const (
	digitSize     = 28
	digitsInTrain = 16000
	digitsInVal   = 4000
)

// Digits draws 16,000 digits for training and 4,000 for validation, 28x28 pixels, white ink on black.
//
// Four of the 24 typefaces occur in the validation part only, in about one of its pictures in six. A linear model
// reaches about 83 % there, because the digits move, lean, turn and change their weight; LeNet-5 reaches 99 % in five
// epochs.
func Digits(seed uint64) *data.Source {
	var seen []*face
	for _, f := range faces() {
		if !f.unseen {
			seen = append(seen, f)
		}
	}
	return source("digits", seed,
		digitPart("digits/train", seed, digitsTrain, digitsInTrain, seen),
		digitPart("digits/val", seed, digitsVal, digitsInVal, faces()))
}

// digitPart draws the first n digits of a part, whose number in the random streams is id.
func digitPart(name string, seed uint64, id, n int, from []*face) *pictures {
	classes := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}
	marks := strayMarks()
	p := pictures{name: name, classes: classes, size: digitSize, channels: 1, n: n}
	return draw(p, func() painter {
		d := &digitPainter{spline: newSpline(digitSize), faces: from, marks: marks}
		return func(pix []uint8, i int) {
			s := philox.MakeStream(seed, philox.Generate, id, i)
			d.paint(pix, i%len(classes), &s)
		}
	})
}

type digitPainter struct {
	spline spline
	faces  []*face
	marks  []*field
	warp   warp
	dist   [digitSize * digitSize]int
	ink    [digitSize * digitSize]int // 0 to 256
}

// paint draws one digit into pix, (28, 28, 1).
func (p *digitPainter) paint(pix []uint8, digit int, s *philox.Stream) {
	shape := p.shape(digit, s)
	at := p.pose(s)
	m := at.place()
	p.warp.draw(s, percent(200), percent(6))
	m.warp = &p.warp
	project(p.dist[:], p.spline, shape, m)

	// Distances are measured on the field; pixel says what one pixel is there.
	pixel := 2 * radius * unit * one * 2 / (at.width + at.height)
	stroke := between(s, percent(45), percent(125)) // half the width of the pen in pixels
	grow := min(max(mul(stroke, pixel)-shape.depth(), -shape.depth()/4), shape.depth()*6/10)
	edge := mul(pixel, between(s, percent(110), percent(260)))
	for i, d := range p.dist {
		p.ink[i] = cover(d-grow, edge)
	}
	if chance(s, 30) {
		p.stray(s)
	}
	p.develop(pix, s)
}

// shape chooses a typeface, and how far it leans towards a second one.
func (p *digitPainter) shape(digit int, s *philox.Stream) blend {
	a := p.faces[s.IntN(len(p.faces))]
	b := p.faces[s.IntN(len(p.faces))]
	mix := between(s, 0, 90) // of 256
	if a.slanted != b.slanted {
		mix = 0
	}
	return blend{a.digits[digit], b.digits[digit], mix}
}

// pose chooses size, slant, angle and place. The angle stays within 17 degrees and the shear within 0.25, together
// far from what would turn a 1 into a 7 or a 6 into a 9.
func (p *digitPainter) pose(s *philox.Stream) pose {
	height := between(s, percent(750), percent(1050)) // half the digit's height in pixels
	return pose{
		angle:  bell(s, -degrees(17), degrees(17)),
		shear:  bell(s, -percent(25), percent(25)),
		height: 2 * height,
		width:  2 * mul(height, between(s, percent(75), percent(125))),
		shiftX: 2 * bell(s, -percent(400), percent(400)),
		shiftY: 2 * bell(s, -percent(350), percent(350)),
	}
}

// stray adds a slip of the pen or a speck: short, thin, and paler than the digit.
func (p *digitPainter) stray(s *philox.Stream) {
	length := between(s, percent(200), percent(450))
	m := pose{
		angle:  s.IntN(turn),
		width:  2 * length,
		height: 2 * length,
		shiftX: 2 * between(s, -percent(1300), percent(1300)),
		shiftY: 2 * between(s, -percent(1300), percent(1300)),
	}.place()
	mark := p.marks[s.IntN(len(p.marks))]
	project(p.dist[:], p.spline, blend{a: mark, b: mark}, m)
	edge := radius * unit * one / length
	strength := between(s, 90, 210)
	for i, d := range p.dist {
		p.ink[i] = max(p.ink[i], cover(d, edge)*strength>>8)
	}
}

// develop turns ink into grey levels: an uneven, not always black-on-white copy with some grain.
func (p *digitPainter) develop(pix []uint8, s *philox.Stream) {
	paper := max(between(s, -30, 30), 0)
	level := between(s, 150, 255) - paper
	fadeX, fadeY := between(s, -3, 3), between(s, -3, 3) // change of the ink's level per pixel, of 256
	grain := between(s, 0, 30)
	var g noise
	for y := range digitSize {
		for x := range digitSize {
			i := y*digitSize + x
			strength := level * (256 + fadeX*(x-digitSize/2) + fadeY*(y-digitSize/2)) >> 8
			v := paper + p.ink[i]*strength>>8 + g.next(s)*grain>>8
			pix[i] = uint8(min(max(v, 0), 255))
		}
	}
}
