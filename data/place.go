package data

// A placement maps the pixel (x, y) of a decoded image to byte origin + x*dx + y*dy of an upright RGB image. With it
// the orientation costs nothing: pixels are written where they belong in the only pass there is.
type placement struct {
	w, h           int // of the decoded image
	origin, dx, dy int // bytes
}

// upright returns the size of a w x h image once it is turned.
func upright(w, h, orientation int) (int, int) {
	if orientation >= 5 {
		return h, w
	}
	return w, h
}

// place gives m the size that a w x h image has once it is upright.
// The orientations are those of EXIF (CIPA DC-008, tag 0x0112): the place of row 0 and column 0 in the upright picture.
func place(m *Image, w, h, orientation int) placement {
	upW, upH := upright(w, h, orientation)
	m.Reset(upW, upH, 3)
	col, row := 3, 3*m.W // one step to the right, one step down
	right, bottom := (m.W-1)*col, (m.H-1)*row
	p := placement{w: w, h: h}
	switch orientation {
	case 2: // mirrored
		p.origin, p.dx, p.dy = right, -col, row
	case 3: // upside down
		p.origin, p.dx, p.dy = right+bottom, -col, -row
	case 4: // mirrored and upside down
		p.origin, p.dx, p.dy = bottom, col, -row
	case 5: // transposed
		p.origin, p.dx, p.dy = 0, row, col
	case 6: // to be turned clockwise
		p.origin, p.dx, p.dy = right, row, -col
	case 7: // transposed along the other diagonal
		p.origin, p.dx, p.dy = right+bottom, -row, -col
	case 8: // to be turned counterclockwise
		p.origin, p.dx, p.dy = bottom, -row, col
	default:
		p.dx, p.dy = col, row
	}
	return p
}
