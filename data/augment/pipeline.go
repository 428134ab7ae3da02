package augment

import (
	"fmt"
	"strings"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/philox"
)

// Pipeline turns a decoded image into one row of a batch: transforms on bytes, then normalisation, then erasing on the
// tensor. It is immutable and serves any number of goroutines, each with a Work of its own.
type Pipeline struct {
	H, W, C int // of the output
	ts      []Transform
	norm    normTable
	erase   RandomErasing // off if P is 0
}

// NewPipeline returns the pipeline that applies ts, adapts grey to colour or colour to grey if that is still needed,
// and normalises. The transforms must leave h x w pixels. erase may be the zero RandomErasing, which does nothing.
// Errors wrap ErrConfig.
func NewPipeline(h, w, channels int, norm Normalize, erase RandomErasing, ts ...Transform) (*Pipeline, error) {
	if err := validateSize("size", h, w); err != nil {
		return nil, err
	}
	if channels != 1 && channels != 3 {
		return nil, fmt.Errorf("%w: channels is %d; want 1 (grey) or 3 (RGB)", ErrConfig, channels)
	}
	if err := norm.validate(channels); err != nil {
		return nil, err
	}
	if err := erase.validate(); err != nil {
		return nil, err
	}
	for _, t := range ts {
		if v, ok := t.(interface{ validate() error }); ok {
			if err := v.validate(); err != nil {
				return nil, fmt.Errorf("%v: %w", t, err)
			}
		}
	}
	return &Pipeline{H: h, W: w, C: channels, ts: fuse(ts), norm: newNormTable(norm), erase: erase}, nil
}

// Len returns the number of float32 values per sample, H*W*C.
func (p *Pipeline) Len() int { return p.H * p.W * p.C }

// String lists the steps for a log.
func (p *Pipeline) String() string {
	var steps []string
	for _, t := range p.ts {
		steps = append(steps, t.String())
	}
	steps = append(steps, p.norm.String())
	if p.erase.P > 0 {
		steps = append(steps, p.erase.String())
	}
	return strings.Join(steps, " ")
}

// Apply prepares the image that lies in w, decoded into w.Image(), and writes it to dst (H, W, C). r is the sample's
// stream; a pipeline without random choices takes nil. The image in w is lost. Errors wrap ErrSize.
func (p *Pipeline) Apply(r *philox.Stream, w *Work, dst []float32) error {
	if len(dst) != p.Len() {
		return fmt.Errorf("%w: the destination holds %d values; want %dx%dx%d", ErrSize, len(dst), p.H, p.W, p.C)
	}
	m, err := p.image(r, w, p.ts)
	if err != nil {
		return err
	}
	p.norm.apply(dst, m)
	if p.erase.P > 0 {
		p.erase.apply(r, dst, p.H, p.W, p.C)
	}
	return nil
}

// image applies transforms and brings the image in w to the channels and the size of the output.
func (p *Pipeline) image(r *philox.Stream, w *Work, ts []Transform) (*data.Image, error) {
	if err := check(w.Image()); err != nil {
		return nil, err
	}
	for _, t := range ts {
		if err := t.Apply(r, w); err != nil {
			return nil, err
		}
	}
	m := w.Image()
	if m.C != p.C {
		if err := adapt(p.C).Apply(r, w); err != nil {
			return nil, err
		}
		m = w.Image()
	}
	if m.H != p.H || m.W != p.W {
		return nil, fmt.Errorf("%w: %v leaves %dx%d pixels; want %dx%d: add a resize or a crop", ErrSize, p, m.H, m.W, p.H, p.W)
	}
	return m, nil
}

// Invert undoes the normalisation of x (H, W, C) into m, an RGB or grey picture of what the network saw.
func (p *Pipeline) Invert(m *data.Image, x []float32) error {
	if len(x) != p.Len() {
		return fmt.Errorf("%w: the tensor holds %d values; want %dx%dx%d", ErrSize, len(x), p.H, p.W, p.C)
	}
	m.Reset(p.W, p.H, p.C)
	p.norm.invert(m, x)
	return nil
}
