package graph

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// An intake is where batches arrive that do not go to the program's own input at once, for one of two reasons: the images come as bytes, which the
// device turns into numbers; or the device can copy while it computes (device.Feeder), and the next batch comes in while a step works on this one. One
// serves all programs of a training.
type intake struct {
	images, flip, targets device.Mem
	table                 device.Mem   // absent for images of numbers
	inlet                 device.Inlet // nil: batches arrive in the order of the steps
	shape                 Shape
	batch                 int
}

// parts returns the bytes of what arrives: images, flips, targets, each at a multiple of device.Align.
func (c *config) parts(g *Graph) (sizes [3]int64) {
	in, out := int64(g.Input().Out.Size()), int64(g.Output().Out.Size())
	n := int64(c.batch)
	if c.pixels == nil {
		return [3]int64{4 * n * in, 0, 4 * n * out}
	}
	return [3]int64{(n*in + 3) &^ 3, 4 * n, 4 * n * out}
}

// intakeBytes is the size of the intake of a training, or 0 if there is none.
func intakeBytes(g *Graph, dev device.Device, c *config) int64 {
	if _, ok := dev.(device.Feeder); !ok && c.pixels == nil {
		return 0
	}
	var sum int64
	for _, n := range c.parts(g) {
		sum += device.AlignUp(n)
	}
	return sum + 4*int64(len(c.pixels))
}

// newIntake allocates an intake, or returns nil where there is none.
func newIntake(g *Graph, dev device.Device, c *config) (*intake, error) {
	n := intakeBytes(g, dev, c)
	if n == 0 {
		return nil, nil
	}
	if want := 256 * g.Input().Out.C; c.pixels != nil && len(c.pixels) != want {
		return nil, fmt.Errorf("graph: a table of %d numbers for bytes, wanted %d", len(c.pixels), want)
	}
	mem, err := dev.Alloc(n)
	if err != nil {
		return nil, fmt.Errorf("the next batch of %d: %w", c.batch, err)
	}
	in := &intake{shape: g.Input().Out, batch: c.batch}
	off := int64(0)
	for i, size := range c.parts(g) {
		*[]*device.Mem{&in.images, &in.flip, &in.targets}[i] = mem.Slice(off, size)
		off += device.AlignUp(size)
	}
	if c.pixels != nil {
		in.table = mem.Slice(off, 4*int64(len(c.pixels)))
		if err := dev.Upload(in.table, device.Bytes(c.pixels)); err != nil {
			return nil, err
		}
	}
	if f, ok := dev.(device.Feeder); ok {
		in.inlet, err = f.NewInlet(mem.Slice(0, off))
	}
	return in, err
}

// open binds what moves a batch from the intake to the input of p.
func (p *program) open(in *intake) error {
	p.intake = in
	if in == nil {
		return nil
	}
	move := func(src, dst device.Mem) device.Call {
		n := int(dst.Floats())
		return device.Copy{Rows: 1, Cols: n, Src: src, Dst: dst, SrcStride: n, DstStride: n}
	}
	images := move(in.images, p.x)
	if !in.table.IsZero() {
		images = device.Normalize{N: in.batch, H: in.shape.H, W: in.shape.W, C: in.shape.C, X: in.images, Flip: in.flip, Table: in.table, Y: p.x}
	}
	for _, c := range []device.Call{images, move(in.targets, p.t)} {
		s, err := p.dev.Bind(c)
		if err != nil {
			return err
		}
		p.moves = append(p.moves, s)
	}
	return nil
}

// feed brings a batch to the device, x (N, H, W, C) and t (N, classes). It does not wait for the steps under way if there is an inlet. The
// slices are the caller's again when it returns.
func (p *program) feed(x, t []float32) error {
	if len(x) != p.batch*p.in || len(t) != p.batch*p.classes {
		return fmt.Errorf("graph: a batch of %d and %d values, wanted %d and %d", len(x), len(t), p.batch*p.in, p.batch*p.classes)
	}
	if p.intake == nil {
		if err := p.dev.Upload(p.x, device.Bytes(x)); err != nil {
			return err
		}
		return p.dev.Upload(p.t, device.Bytes(t))
	}
	if !p.intake.table.IsZero() {
		return fmt.Errorf("graph: a batch of numbers for a program that takes bytes")
	}
	return p.send(device.Bytes(x), nil, device.Bytes(t))
}

// feedPixels is feed for a program that takes bytes: pix (N, H, W, C), up to a whole word, and flip (N), 1 for the images to be mirrored.
func (p *program) feedPixels(pix []byte, flip []uint32, t []float32) error {
	in := p.intake
	if in == nil || in.table.IsZero() {
		return fmt.Errorf("graph: a batch of bytes for a program that takes numbers")
	}
	if int64(len(pix)) != in.images.Len || len(flip) != p.batch || len(t) != p.batch*p.classes {
		return fmt.Errorf("graph: a batch of %d bytes, %d flips and %d values, wanted %d, %d and %d", len(pix), len(flip), len(t), in.images.Len, p.batch, p.batch*p.classes)
	}
	return p.send(pix, device.Bytes(flip), device.Bytes(t))
}

// send copies the parts of a batch to the intake.
func (p *program) send(images, flip, targets []byte) error {
	in := p.intake
	p.parts = [3][]byte{images, flip, targets}
	if in.inlet != nil {
		return in.inlet.Send(p.parts[:]...)
	}
	for i, m := range [...]device.Mem{in.images, in.flip, in.targets} {
		if err := p.dev.Upload(m, p.parts[i]); err != nil {
			return err
		}
	}
	return nil
}

// receive makes the batch that was fed last the input of the steps that follow.
func (p *program) receive() error {
	if p.intake == nil {
		return nil
	}
	inlet := p.intake.inlet
	if inlet != nil {
		if err := inlet.Receive(); err != nil {
			return err
		}
	}
	for _, s := range p.moves {
		if err := s(); err != nil {
			return err
		}
	}
	if inlet != nil {
		return inlet.Release()
	}
	return nil
}
