package augment

import (
	"fmt"

	"github.com/cnnctl/cnnctl/data"
)

// Normalize turns bytes into float32: x = v*Scale/255, then (x - Mean[c]) / Std[c], where c counts the output's
// channels, after BGR has reversed them. Mean and Std are in units of x, so torchvision's values go with Scale 1, and
// the means of checkpoints that come from Caffe (104, 117, 123 in BGR order) with Scale 255 and Std 1.
type Normalize struct {
	Mean, Std []float64 // one per channel
	Scale     float64   // 1 or 255; the value that white becomes before Mean is subtracted
	BGR       bool
}

func (t Normalize) String() string {
	s := fmt.Sprintf("Normalize(mean=%.4g, std=%.4g", t.Mean, t.Std)
	if t.Scale != 1 {
		s += fmt.Sprintf(", scale=%g", t.Scale)
	}
	if t.BGR {
		s += ", BGR"
	}
	return s + ")"
}

// normTable holds what each byte becomes: a byte has 256 values, so a sample costs one look-up per byte.
type normTable struct {
	Normalize
	lut [][256]float32 // by output channel
}

func newNormTable(t Normalize) normTable {
	n := normTable{t, make([][256]float32, len(t.Mean))}
	for c := range n.lut {
		for v := range n.lut[c] {
			// In float32 and in torchvision's order of operations (ToTensor, then Normalize).
			x := float32(v)
			if t.Scale == 1 {
				x /= 255
			} else {
				x *= float32(t.Scale) / 255
			}
			n.lut[c][v] = (x - float32(t.Mean[c])) / float32(t.Std[c])
		}
	}
	return n
}

// apply fills dst (H, W, C) from m.
func (n *normTable) apply(dst []float32, m *data.Image) {
	if m.C == 1 {
		table := &n.lut[0]
		dst = dst[:len(m.Pix)]
		for i, v := range m.Pix {
			dst[i] = table[v]
		}
		return
	}
	first, last := 0, 2
	if n.BGR {
		first, last = 2, 0
	}
	t0, t1, t2 := &n.lut[0], &n.lut[1], &n.lut[2]
	for p := m.Pix; len(p) >= 3 && len(dst) >= 3; p, dst = p[3:], dst[3:] {
		dst[0], dst[1], dst[2] = t0[p[first]], t1[p[1]], t2[p[last]]
	}
}

// invert fills m, whose size is set, from x (H, W, C), rounding and clipping to 0..255.
func (n *normTable) invert(m *data.Image, x []float32) {
	for i, v := range x {
		c := i % m.C
		y := (float64(v)*n.Std[c] + n.Mean[c]) * 255 / n.Scale
		if n.BGR {
			c = m.C - 1 - c
		}
		m.Pix[i-i%m.C+c] = uint8(min(max(y+0.5, 0), 255))
	}
}
