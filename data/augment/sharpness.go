package augment

// adjustSharpness blends the current image with a smoothed copy of it, past the image itself for a factor above 1. The smoothing
// is PIL's SMOOTH filter: each neighbour counts 1 and the centre 5, of 13. The border, which lacks neighbours, stays as it is.
func (w *Work) adjustSharpness(factor float64) {
	m := w.Image()
	if m.W < 3 || m.H < 3 {
		return
	}
	dst := w.Spare(m.W, m.H, m.C)
	copy(dst.Pix, m.Pix)
	c, stride, f := m.C, m.W*m.C, float32(factor)
	for y := 1; y < m.H-1; y++ {
		for i := y*stride + c; i < (y+1)*stride-c; i++ {
			sum := 4 * int(m.Pix[i])
			for _, row := range [3]int{i - stride, i, i + stride} {
				sum += int(m.Pix[row-c]) + int(m.Pix[row]) + int(m.Pix[row+c])
			}
			// Rounded sum/13, which PIL computes in float32: no sum lies so near to a half that this could differ.
			dst.Pix[i] = blend(uint8((2*sum+13)/26), m.Pix[i], f)
		}
	}
	w.Swap()
}
