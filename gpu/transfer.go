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

// Copies go through a ring of page-locked buffers. The caller's memory is free again when Upload returns, and nothing waits for the steps
// before it: the small uploads of each step do not drain the stream. Copying into or out of one buffer overlaps with the transfer of
// another. And the driver never gets to see memory of Go, which may hold pointers around the bytes that are meant: cgo refuses that.
const (
	slots    = 4
	slotSize = 4 << 20
)

// A ring is the staging memory. It is empty until the first upload.
type ring struct {
	memory []byte
	done   [slots]cu.Event // recorded behind the last copy out of the slot or into it
	next   int
}

func (r *ring) open() error {
	if r.memory != nil {
		return nil
	}
	for i := range r.done {
		var err error
		if r.done[i] == (cu.Event{}) {
			if r.done[i], err = cu.MakeEvent(cu.DisableTiming); err != nil {
				return err
			}
		}
	}
	var err error
	r.memory, err = driver.HostAlloc(slots * slotSize)
	return err
}

func (r *ring) release() error {
	var list []error
	if r.memory != nil {
		list = append(list, driver.HostFree(r.memory))
	}
	for _, e := range r.done {
		if e != (cu.Event{}) {
			list = append(list, cu.DestroyEvent(&e))
		}
	}
	return errors.Join(list...)
}

// take returns the slot that has been in use for the longest time, and its event.
func (r *ring) take() ([]byte, cu.Event) {
	i := r.next
	r.next = (i + 1) % slots
	return r.memory[i*slotSize:][:slotSize], r.done[i]
}

// upload puts copies of src to dst on the stream.
func (d *Device) upload(dst cu.DevicePtr, src []byte) error {
	r := &d.ring
	if err := r.open(); err != nil {
		return d.check("allocating page-locked memory", err)
	}
	for len(src) > 0 {
		slot, done := r.take()
		if err := done.Synchronize(); err != nil {
			return d.check("waiting for a copy to the device", err)
		}
		n := copy(slot, src)
		if err := cu.MemcpyHtoDAsync(dst, unsafe.Pointer(&slot[0]), int64(n), d.stream); err != nil {
			return d.check("copying to the device", err)
		}
		if err := done.Record(d.stream); err != nil {
			return d.check("copying to the device", err)
		}
		dst, src = dst+cu.DevicePtr(n), src[n:]
	}
	return nil
}

// download copies from src to dst. While it empties one slot, the others fill.
func (d *Device) download(dst []byte, src cu.DevicePtr) error {
	r := &d.ring
	if err := r.open(); err != nil {
		return d.check("allocating page-locked memory", err)
	}
	type copying struct {
		from []byte
		done cu.Event
	}
	var underWay []copying // the oldest first
	for asked := 0; len(dst) > 0; {
		for asked < len(dst) && len(underWay) < slots {
			slot, done := r.take()
			if err := done.Synchronize(); err != nil {
				return d.check("waiting for a copy to the device", err)
			}
			slot = slot[:min(slotSize, len(dst)-asked)]
			if err := cu.MemcpyDtoHAsync(unsafe.Pointer(&slot[0]), src+cu.DevicePtr(asked), int64(len(slot)), d.stream); err != nil {
				return d.check("copying from the device", err)
			}
			if err := done.Record(d.stream); err != nil {
				return d.check("copying from the device", err)
			}
			underWay, asked = append(underWay, copying{slot, done}), asked+len(slot)
		}
		if err := underWay[0].done.Synchronize(); err != nil {
			return d.check("copying from the device", err)
		}
		n := copy(dst, underWay[0].from)
		dst, src, asked, underWay = dst[n:], src+cu.DevicePtr(n), asked-n, underWay[1:]
	}
	return nil
}

// transfer returns the address of m for a copy of n bytes.
func (d *Device) transfer(m device.Mem, n int) (cu.DevicePtr, error) {
	if int64(n) != m.Len || n%4 != 0 {
		return 0, fmt.Errorf("cuda: %w: a copy between %d bytes on the host and %d on the device, wanted equal multiples of 4", device.ErrGeometry, n, m.Len)
	}
	p, ok := d.address(m)
	if !ok {
		return 0, fmt.Errorf("cuda: %w: %+v is no memory of this device", device.ErrGeometry, m)
	}
	return p, nil
}

// Upload implements device.Device. It returns when src has been read; the copy happens in the order of the steps.
func (d *Device) Upload(dst device.Mem, src []byte) error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	p, err := d.transfer(dst, len(src))
	if err != nil {
		return err
	}
	return d.upload(p, src)
}

// Download implements device.Device.
func (d *Device) Download(dst []byte, src device.Mem) error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	p, err := d.transfer(src, len(dst))
	if err != nil || len(dst) == 0 {
		return err
	}
	return d.download(dst, p)
}
