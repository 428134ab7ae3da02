//go:build cuda && cgo && linux

package gpu

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/gpu/internal/driver"
	"gorgonia.org/cu"
)

// An arena is one allocation.
type arena struct {
	at   cu.DevicePtr
	size int64
}

func pointers(arenas []arena) []cu.DevicePtr {
	var list []cu.DevicePtr
	for _, a := range arenas {
		list = append(list, a.at)
	}
	return list
}

// Alloc implements device.Device.
func (d *Device) Alloc(bytes int64) (device.Mem, error) {
	if err := d.enter(); err != nil {
		return device.Mem{}, err
	}
	defer d.leave()
	if bytes <= 0 {
		return device.Mem{}, fmt.Errorf("cuda: %w: an allocation of %d bytes, wanted a positive number", device.ErrGeometry, bytes)
	}
	p, err := d.reserve(bytes)
	if err != nil {
		return device.Mem{}, err
	}
	d.arenas = append(d.arenas, arena{p, bytes})
	if err := cu.MemsetD8Async(p, 0, bytes, d.stream); err != nil {
		return device.Mem{}, d.check("clearing memory", err)
	}
	return device.Mem{Arena: int32(len(d.arenas)), Len: bytes}, nil
}

// reserve allocates memory with undefined contents.
func (d *Device) reserve(bytes int64) (cu.DevicePtr, error) {
	p, err := cu.MemAlloc(bytes)
	if r, ok := driver.Of(err); ok && r == driver.OutOfMemory {
		free, _, err := cu.MemInfo()
		if err != nil {
			return 0, d.check("asking for the free memory", err)
		}
		return 0, fmt.Errorf("cuda: %w", &device.OutOfMemoryError{Device: d.Name(), Want: bytes, Free: free})
	}
	return p, d.check(fmt.Sprintf("allocating %d bytes", bytes), err)
}

// Free implements device.MemoryReporter.
func (d *Device) Free() (int64, error) {
	if err := d.enter(); err != nil {
		return 0, err
	}
	defer d.leave()
	free, _, err := cu.MemInfo()
	return free, d.check("asking for the free memory", err)
}

// address returns where m lies, and whether it is memory of d.
func (d *Device) address(m device.Mem) (cu.DevicePtr, bool) {
	if m.Arena < 1 || int(m.Arena) > len(d.arenas) || m.Off < 0 || m.Len < 0 {
		return 0, false
	}
	a := d.arenas[m.Arena-1]
	if m.Off > a.size || m.Len > a.size-m.Off {
		return 0, false
	}
	return a.at + cu.DevicePtr(m.Off), true
}

// A pool holds the small constant tables of bound calls, such as the segments of an optimiser. They live as long as the device.
type pool struct {
	chunks     []cu.DevicePtr
	next, left int64
}

// chunk is the size of the pool's allocations; larger tables get one of their own.
const chunk = 64 << 10

// constant uploads a table and returns its address.
func (d *Device) constant(table []byte) (cu.DevicePtr, error) {
	n, p := device.AlignUp(int64(len(table))), &d.consts
	if n > p.left {
		size := max(n, chunk)
		at, err := d.reserve(size)
		if err != nil {
			return 0, err
		}
		p.chunks, p.next, p.left = append(p.chunks, at), int64(at), size
	}
	at := cu.DevicePtr(p.next)
	p.next, p.left = p.next+n, p.left-n
	return at, d.upload(at, table)
}
