//go:build cuda && cgo && linux

package gpu

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/gpu/internal/driver"
	"gorgonia.org/cu"
)

// An inlet implements device.Inlet with page-locked memory and a stream of its own. Two events tie that stream to the one of the steps: the copy
// waits until the steps have read what came before, and the steps wait until the copy is done.
type inlet struct {
	dev  *Device
	at   cu.DevicePtr
	host []byte   // page-locked, as large as the memory on the device
	sent cu.Event // on the copies' stream, behind the last copy
	read cu.Event // on the steps' stream, behind those that read it
}

// NewInlet implements device.Feeder.
func (d *Device) NewInlet(m device.Mem) (device.Inlet, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer d.leave()
	at, ok := d.address(m)
	if !ok {
		return nil, fmt.Errorf("cuda: %w: %+v is no memory of this device", device.ErrGeometry, m)
	}
	if err := d.openCopies(); err != nil {
		return nil, d.check("creating a stream for copies", err)
	}
	in := &inlet{dev: d, at: at}
	var err error
	if in.host, err = driver.HostAlloc(int(m.Len)); err != nil {
		return nil, d.check(fmt.Sprintf("allocating %d bytes of page-locked memory", m.Len), err)
	}
	d.inlets = append(d.inlets, in)
	for _, e := range []*cu.Event{&in.sent, &in.read} {
		if *e, err = cu.MakeEvent(cu.DisableTiming); err != nil {
			return nil, d.check("creating an event", err)
		}
	}
	// What the memory is cleared with is on the stream of the steps, too: the first copy waits for that.
	return in, d.check("ordering copies and steps", in.read.Record(d.stream))
}

// openCopies makes the stream of all inlets.
func (d *Device) openCopies() (err error) {
	if d.copies == (cu.Stream{}) {
		d.copies, err = cu.MakeStream(cu.NonBlocking)
	}
	return err
}

// Send implements device.Inlet.
func (in *inlet) Send(parts ...[]byte) error {
	d := in.dev
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	if err := in.sent.Synchronize(); err != nil { // the copy before it has read the page-locked memory
		return d.check("waiting for a copy to the device", err)
	}
	n := 0
	for _, p := range parts {
		n = int(device.AlignUp(int64(n)))
		if n+len(p) > len(in.host) {
			return fmt.Errorf("cuda: %w: more than the %d bytes of an inlet", device.ErrGeometry, len(in.host))
		}
		n += copy(in.host[n:], p)
	}
	if n == 0 {
		return nil
	}
	if err := d.copies.Wait(in.read, 0); err != nil {
		return d.check("copying to the device", err)
	}
	if err := cu.MemcpyHtoDAsync(in.at, unsafe.Pointer(&in.host[0]), int64(n), d.copies); err != nil {
		return d.check("copying to the device", err)
	}
	return d.check("copying to the device", in.sent.Record(d.copies))
}

// Receive implements device.Inlet.
func (in *inlet) Receive() error {
	return in.onSteps(func(s cu.Stream) error { return s.Wait(in.sent, 0) })
}

// Release implements device.Inlet.
func (in *inlet) Release() error {
	return in.onSteps(func(s cu.Stream) error { return in.read.Record(s) })
}

// onSteps puts something on the stream of the steps.
func (in *inlet) onSteps(put func(cu.Stream) error) error {
	d := in.dev
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	return d.check("ordering copies and steps", put(d.stream))
}

// release gives back what the inlet holds, once its copies are done.
func (in *inlet) release() error {
	list := []error{driver.HostFree(in.host)}
	for _, e := range []cu.Event{in.sent, in.read} {
		if e != (cu.Event{}) {
			list = append(list, cu.DestroyEvent(&e))
		}
	}
	return errors.Join(list...)
}
