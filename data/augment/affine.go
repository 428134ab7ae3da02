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

// warp replaces the current image by one of the same size whose pixels lie at t in it. What lies outside becomes fill.
// Bicubic is not offered here: rotation by a few degrees gains nothing visible over bilinear.
func (w *Work) warp(t affine, ip Interpolation, fill uint8) {
	src := w.Image()
	dst := w.Spare(src.W, src.H, src.C)
	w.Swap()
	if ip == Nearest {
		warpNearest(dst, src, t, fill)
	} else {
		warpBilinear(dst, src, t, fill)
	}
}

// warpNearest steps through the input in fixed point with 32 fraction bits.
func warpNearest(dst, src *data.Image, t affine, fill uint8) {
	const one = 1 << 32
	c := src.C
	i := 0
	for y := range dst.H {
		fy := float64(y) + 0.5
		px := int64(math.Floor((t.a*0.5 + t.b*fy + t.c) * one))
		py := int64(math.Floor((t.d*0.5 + t.e*fy + t.f) * one))
		stepX, stepY := int64(math.Round(t.a*one)), int64(math.Round(t.d*one))
		for range dst.W {
			ix, iy := int(px>>32), int(py>>32)
			out := dst.Pix[i : i+c]
			if uint(ix) < uint(src.W) && uint(iy) < uint(src.H) {
				copy(out, src.Pix[(iy*src.W+ix)*c:])
			} else {
				for k := range out {
					out[k] = fill
				}
			}
			px, py, i = px+stepX, py+stepY, i+c
		}
	}
}

// warpBilinear interpolates between the four pixels around each position, repeating the edge where one is missing, and
// truncates as PIL does.
func warpBilinear(dst, src *data.Image, t affine, fill uint8) {
	c := src.C
	width, height := float64(src.W), float64(src.H)
	i := 0
	for y := range dst.H {
		fy := float64(y) + 0.5
		for x := range dst.W {
			fx := float64(x) + 0.5
			px, py := t.a*fx+t.b*fy+t.c, t.d*fx+t.e*fy+t.f
			out := dst.Pix[i : i+c]
			i += c
			if !(px >= 0 && px < width && py >= 0 && py < height) {
				for k := range out {
					out[k] = fill
				}
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
	w.warp(inverseAffine(image.Pt(m.W, m.H), angle, 0, 0, 1, 0, 0), t.Interpolation.orDefault(), t.Fill)
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
	w.warp(inverseAffine(image.Pt(m.W, m.H), angle, dx, dy, scale, shearX, shearY), t.Interpolation.orDefault(), t.Fill)
	return nil
}
