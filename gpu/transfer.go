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

// Copies to the device go through a ring of page-locked buffers. The caller's memory is free again when Upload returns, and nothing
// waits for the steps before it: the small uploads of each step do not drain the stream. Copying into one buffer overlaps with
// the transfer of the one before.
const (
	slots    = 4
	slotSize = 4 << 20
)

// A ring is the staging memory. It is empty until the first upload.
type ring struct {
	memory []byte
	free   [slots]cu.Event // recorded behind the last copy out of the slot
	next   int
}

func (r *ring) open() error {
	if r.memory != nil {
		return nil
	}
	for i := range r.free {
		var err error
		if r.free[i] == (cu.Event{}) {
			if r.free[i], err = cu.MakeEvent(cu.DisableTiming); err != nil {
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
	for _, e := range r.free {
		if e != (cu.Event{}) {
			list = append(list, cu.DestroyEvent(&e))
		}
	}
	return errors.Join(list...)
}

// upload puts copies of src to dst on the stream.
func (d *Device) upload(dst cu.DevicePtr, src []byte) error {
	r := &d.ring
	if err := r.open(); err != nil {
		return d.check("allocating page-locked memory", err)
	}
	for len(src) > 0 {
		free := r.free[r.next]
		slot := r.memory[r.next*slotSize:][:slotSize]
		r.next = (r.next + 1) % slots
		if err := free.Synchronize(); err != nil {
			return d.check("waiting for a copy to the device", err)
		}
		n := copy(slot, src)
		if err := cu.MemcpyHtoDAsync(dst, unsafe.Pointer(&slot[0]), int64(n), d.stream); err != nil {
			return d.check("copying to the device", err)
		}
		if err := free.Record(d.stream); err != nil {
			return d.check("copying to the device", err)
		}
		dst, src = dst+cu.DevicePtr(n), src[n:]
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
	if err := d.stream.Synchronize(); err != nil {
		return d.check("waiting for the steps", err)
	}
	return d.check("copying from the device", cu.MemcpyDtoH(unsafe.Pointer(&dst[0]), p, int64(len(dst))))
}
