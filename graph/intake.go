package graph

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// An intake is where batches arrive on a device that can copy while it computes (device.Feeder): the next one comes in while a step works on the
// program's own input. One serves all programs of a training.
type intake struct {
	mem   device.Mem // the images, then the targets, each at a multiple of device.Align
	inlet device.Inlet
}

// intakeBytes is the size of the intake of a training, or 0 if the device takes batches in the order of its steps.
func intakeBytes(g *Graph, dev device.Device, batch int) int64 {
	if _, ok := dev.(device.Feeder); !ok {
		return 0
	}
	return device.AlignUp(4*int64(batch)*int64(g.Input().Out.Size())) + 4*int64(batch)*int64(g.Output().Out.Size())
}

// newIntake allocates an intake, or returns nil where there is none.
func newIntake(g *Graph, dev device.Device, batch int) (*intake, error) {
	n := intakeBytes(g, dev, batch)
	if n == 0 {
		return nil, nil
	}
	mem, err := dev.Alloc(n)
	if err != nil {
		return nil, fmt.Errorf("the next batch of %d: %w", batch, err)
	}
	inlet, err := dev.(device.Feeder).NewInlet(mem)
	return &intake{mem, inlet}, err
}

// open binds what moves a batch from the intake to the input of p.
func (p *program) open(in *intake) error {
	p.intake = in
	if in == nil {
		return nil
	}
	off := int64(0)
	for _, to := range []device.Mem{p.x, p.t} {
		n := int(to.Floats())
		s, err := p.dev.Bind(device.Copy{Rows: 1, Cols: n, Src: in.mem.Slice(off, to.Len), Dst: to, SrcStride: n, DstStride: n})
		if err != nil {
			return err
		}
		p.moves = append(p.moves, s)
		off = device.AlignUp(off + to.Len)
	}
	return nil
}

// feed brings a batch to the device, x (N, H, W, C) and t (N, classes). It does not wait for the steps under way if there is an intake. The
// slices are the caller's again when it returns.
func (p *program) feed(x, t []float32) error {
	if len(x) != p.batch*p.in || len(t) != p.batch*p.classes {
		return fmt.Errorf("graph: a batch of %d and %d values, wanted %d and %d", len(x), len(t), p.batch*p.in, p.batch*p.classes)
	}
	if p.intake != nil {
		p.parts = [2][]byte{device.Bytes(x), device.Bytes(t)}
		return p.intake.inlet.Send(p.parts[:]...)
	}
	if err := p.dev.Upload(p.x, device.Bytes(x)); err != nil {
		return err
	}
	return p.dev.Upload(p.t, device.Bytes(t))
}

// receive makes the batch that was fed last the input of the steps that follow.
func (p *program) receive() error {
	if p.intake == nil {
		return nil
	}
	if err := p.intake.inlet.Receive(); err != nil {
		return err
	}
	for _, s := range p.moves {
		if err := s(); err != nil {
			return err
		}
	}
	return p.intake.inlet.Release()
}
