package augment

import (
	"fmt"
	"image"
	"math"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/philox"
)

// affine maps a position (x, y) of the output to (a*x + b*y + c, d*x + e*y + f) of the input. Positions are in pixels
// from the top left corner, so that the centre of the first pixel is (0.5, 0.5).
type affine struct{ a, b, c, d, e, f float64 }

// inverseAffine returns the map for an image that is, about its centre, sheared by (shearX, shearY), rotated clockwise
// by angle and scaled, and then moved by (dx, dy) pixels. Angles are in degrees. It is the inverse of
//
//	move * toCentre * scale * R(angle) * [1 0; -tan(shearY) 1] * [1 -tan(shearX); 0 1] * fromCentre
func inverseAffine(size image.Point, angle, dx, dy, scale, shearX, shearY float64) affine {
	const radian = math.Pi / 180
	sin, cos := math.Sincos(angle * radian)
	tx, ty := math.Tan(shearX*radian), math.Tan(shearY*radian)
	// Forward, without scale; rotation and shears have determinant 1, so the inverse needs no division but by scale.
	m00, m10 := cos+sin*ty, sin-cos*ty
	m01, m11 := -m00*tx-sin, -m10*tx+cos
	t := affine{a: m11 / scale, b: -m01 / scale, d: -m10 / scale, e: m00 / scale}
	cx, cy := float64(size.X)/2, float64(size.Y)/2
	t.c = cx - t.a*(cx+dx) - t.b*(cy+dy)
	t.f = cy - t.d*(cx+dx) - t.e*(cy+dy)
	return t
}

// rotation returns the map for an image that is rotated counter-clockwise about its centre, by degrees. Like PIL's rotate, it
// rounds sine and cosine to 15 decimals, so that a quarter turn of a square moves whole pixels.
func rotation(size image.Point, degrees float64) affine {
	degrees = math.Mod(degrees, 360)
	if degrees < 0 {
		degrees += 360
	}
	sin, cos := math.Sincos(-degrees * math.Pi / 180)
	decimals := func(v float64) float64 { return math.RoundToEven(v*1e15) / 1e15 }
	t := affine{a: decimals(cos), b: decimals(sin), d: decimals(-sin), e: decimals(cos)}
	cx, cy := float64(size.X)/2, float64(size.Y)/2
	t.c = float64(t.a*-cx) + float64(t.b*-cy) + cx
	t.f = float64(t.d*-cx) + float64(t.e*-cy) + cy
	return t
}

// warp replaces the current image by one of the same size whose pixels lie at t in it. What lies outside becomes fill, which has a
// value for each channel. Bicubic is not offered here: rotation by a few degrees gains nothing visible over bilinear.
func (w *Work) warp(t affine, ip Interpolation, fill [3]uint8) {
	src := w.Image()
	dst := w.Spare(src.W, src.H, src.C)
	w.Swap()
	switch {
	case ip != Nearest:
		warpBilinear(dst, src, t, fill)
	case t.b == 0 && t.d == 0:
		moveNearest(dst, src, t, fill)
	default:
		warpNearest(dst, src, t, fill)
	}
}

// warpNearest steps through the input in fixed point with 16 fraction bits, as PIL does.
func warpNearest(dst, src *data.Image, t affine, fill [3]uint8) {
	fixed := func(v float64) int64 { return int64(math.Floor(float64(v*(1<<16)) + 0.5)) }
	c := src.C
	rowX, rowY := fixed(t.c+float64(t.a*0.5)+float64(t.b*0.5)), fixed(t.f+float64(t.d*0.5)+float64(t.e*0.5))
	stepX, stepY := fixed(t.a), fixed(t.d)
	downX, downY := fixed(t.b), fixed(t.e)
	i := 0
	for range dst.H {
		px, py := rowX, rowY
		for range dst.W {
			ix, iy := int(px>>16), int(py>>16)
			out := dst.Pix[i : i+c]
			if uint(ix) < uint(src.W) && uint(iy) < uint(src.H) {
				copy(out, src.Pix[(iy*src.W+ix)*c:])
			} else {
				copy(out, fill[:])
			}
			px, py, i = px+stepX, py+stepY, i+c
		}
		rowX, rowY = rowX+downX, rowY+downY
	}
}

// moveNearest is warpNearest without rotation and shear, for which PIL computes positions in float64.
func moveNearest(dst, src *data.Image, t affine, fill [3]uint8) {
	c := src.C
	i := 0
	py := t.f + float64(t.e*0.5)
	for range dst.H {
		px := t.c + float64(t.a*0.5)
		iy := int(math.Floor(py))
		for range dst.W {
			ix := int(math.Floor(px))
			out := dst.Pix[i : i+c]
			if uint(ix) < uint(src.W) && uint(iy) < uint(src.H) {
				copy(out, src.Pix[(iy*src.W+ix)*c:])
			} else {
				copy(out, fill[:])
			}
			px, i = px+t.a, i+c
		}
		py += t.e
	}
}

// warpBilinear interpolates between the four pixels around each position, repeating the edge where one is missing, and
// truncates as PIL does.
func warpBilinear(dst, src *data.Image, t affine, fill [3]uint8) {
	c := src.C
	width, height := float64(src.W), float64(src.H)
	i := 0
	for y := range dst.H {
		fy := float64(y) + 0.5
		for x := range dst.W {
			fx := float64(x) + 0.5
			px, py := float64(t.a*fx)+float64(t.b*fy)+t.c, float64(t.d*fx)+float64(t.e*fy)+t.f
			out := dst.Pix[i : i+c]
			i += c
			if !(px >= 0 && px < width && py >= 0 && py < height) {
				copy(out, fill[:])
				continue
			}
			px, py = px-0.5, py-0.5
			ix, iy := math.Floor(px), math.Floor(py)
			wx, wy := px-ix, py-iy
			x0, x1 := max(int(ix), 0), min(int(ix)+1, src.W-1)
			y0, y1 := max(int(iy), 0), min(int(iy)+1, src.H-1)
			p00, p01 := (y0*src.W+x0)*c, (y0*src.W+x1)*c
			p10, p11 := (y1*src.W+x0)*c, (y1*src.W+x1)*c
			for k := range out {
				upper := mix(src.Pix[p00+k], src.Pix[p01+k], wx)
				lower := mix(src.Pix[p10+k], src.Pix[p11+k], wx)
				out[k] = uint8(upper + float64((lower-upper)*wy))
			}
		}
	}
}

// mix interpolates from a to b. The conversion forbids a fused multiply-add, which some processors would round
// differently.
func mix(a, b uint8, t float64) float64 {
	return float64(a) + float64((float64(b)-float64(a))*t)
}

// grey is a fill of equal channels.
func grey(v uint8) [3]uint8 { return [3]uint8{v, v, v} }

// RandomRotation rotates about the centre by an angle uniform in [-Degrees, Degrees]. The size stays, and corners that
// the image no longer covers become Fill. The default interpolation is Bilinear here, where torchvision's is nearest.
type RandomRotation struct {
	Degrees       float64
	Interpolation Interpolation
	Fill          uint8
}

func (t RandomRotation) String() string {
	return fmt.Sprintf("RandomRotation(±%.3g°, %s)", t.Degrees, t.Interpolation.orDefault())
}

// Apply implements Transform.
func (t RandomRotation) Apply(r *philox.Stream, w *Work) error {
	m := w.Image()
	angle := r.Uniform(-t.Degrees, t.Degrees)
	w.warp(rotation(image.Pt(m.W, m.H), -angle), t.Interpolation.orDefault(), grey(t.Fill))
	return nil
}

// RandomAffine rotates by up to Degrees, moves by up to Translate times the width and height, scales by a factor
// uniform in Scale ({0, 0} means 1) and shears by up to Shear degrees along x and y, about the centre.
type RandomAffine struct {
	Degrees       float64
	Translate     [2]float64 // share of width, share of height
	Scale         [2]float64
	Shear         [2]float64 // degrees along x, along y
	Interpolation Interpolation
	Fill          uint8
}

func (t RandomAffine) String() string {
	return fmt.Sprintf("RandomAffine(±%.3g°, translate=%.3g,%.3g, scale=%.3g..%.3g, shear=±%.3g°,±%.3g°, %s)", t.Degrees,
		t.Translate[0], t.Translate[1], t.Scale[0], t.Scale[1], t.Shear[0], t.Shear[1], t.Interpolation.orDefault())
}

// Apply implements Transform. Moves are whole pixels, as in torchvision.
func (t RandomAffine) Apply(r *philox.Stream, w *Work) error {
	m := w.Image()
	angle := r.Uniform(-t.Degrees, t.Degrees)
	move := func(share float64, size int) float64 {
		return math.RoundToEven(r.Uniform(-share, share) * float64(size))
	}
	dx, dy := move(t.Translate[0], m.W), move(t.Translate[1], m.H)
	scale := 1.0
	if t.Scale != [2]float64{} {
		scale = r.Uniform(t.Scale[0], t.Scale[1])
	}
	shearX := r.Uniform(-t.Shear[0], t.Shear[0])
	shearY := r.Uniform(-t.Shear[1], t.Shear[1])
	w.warp(inverseAffine(image.Pt(m.W, m.H), angle, dx, dy, scale, shearX, shearY), t.Interpolation.orDefault(), grey(t.Fill))
	return nil
}
