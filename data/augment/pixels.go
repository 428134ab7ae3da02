package augment

import (
	"fmt"

	"github.com/cnnctl/cnnctl/philox"
)

// Pixels reports whether nothing but the normalisation works on numbers, so that ApplyPixels can leave that to the device.
func (p *Pipeline) Pixels() bool { return p.erase.P == 0 }

// Table returns what each byte becomes in each channel of the output (C, 256): the very numbers of Apply.
func (p *Pipeline) Table() []float32 {
	var table []float32
	for i := range p.norm.lut {
		table = append(table, p.norm.lut[i][:]...)
	}
	return table
}

// ApplyPixels is Apply but for its end: it writes the bytes of the image to dst (H, W, C), its channels in the order of the network, and leaves
// the normalisation by Table to the device. A horizontal flip that comes last is left to it as well: mirror says whether the image is to be
// flipped. The random draws are those of Apply.
func (p *Pipeline) ApplyPixels(r *philox.Stream, w *Work, dst []byte) (mirror bool, err error) {
	if len(dst) != p.Len() {
		return false, fmt.Errorf("%w: the destination holds %d bytes; want %dx%dx%d", ErrSize, len(dst), p.H, p.W, p.C)
	}
	if !p.Pixels() {
		return false, fmt.Errorf("%w: %v works on numbers and has no bytes at its end", ErrConfig, p.erase)
	}
	ts := p.ts
	var flip RandomHorizontalFlip
	if n := len(ts); n > 0 {
		if f, ok := ts[n-1].(RandomHorizontalFlip); ok {
			flip, ts = f, ts[:n-1]
		}
	}
	m, err := p.image(r, w, ts)
	if err != nil {
		return false, err
	}
	copy(dst, m.Pix)
	if p.norm.BGR && p.C == 3 {
		for i := 0; i < len(dst); i += 3 {
			dst[i], dst[i+2] = dst[i+2], dst[i]
		}
	}
	return flip.P != 0 && r.Bool(flip.P), nil
}
