// Package cpu is the device that runs everywhere: float32 on the cores of the host, in Go.
//
// A call becomes a list of phases when it is bound, and each phase a number of tasks that a fixed set of goroutines takes
// one after another. How a call is cut into tasks depends on its geometry alone, every element is computed by one task, and
// sums that several tasks share are combined in the order of the tasks: the results are the same bits for any number of
// threads. Running a step allocates nothing.
//
// The arithmetic is that of package kernel, in C with vector instructions. Without cgo it is Go, and matrix products go through gonum's
// blas32, so that a faster implementation registered with blas32.Use serves there.
package cpu

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
)

// Device implements device.Device and device.Workspacer. Steps are synchronous: they have happened when they return.
type Device struct {
	arenas   [][]float32 // arena a is arenas[a-1]
	crew     *crew
	closed   bool
	winograd Winograd
}

// processors is GOMAXPROCS as the program began: see spareProcessor.
var processors = runtime.GOMAXPROCS(0)

// New returns a device that computes with the given number of threads, or with as many as GOMAXPROCS was when the program began if threads is not
// positive. Close stops them. New may raise GOMAXPROCS to one more than the threads.
func New(threads int) *Device {
	if threads <= 0 {
		threads = processors
	}
	return &Device{crew: newCrew(threads)}
}

// Name implements device.Device.
func (d *Device) Name() string {
	s := "s"
	if d.crew.size == 1 {
		s = ""
	}
	return fmt.Sprintf("cpu (%d thread%s, %s)", d.crew.size, s, engine())
}

// engine says what computes, for example "AVX-512 kernels".
func engine() string {
	if kernel.Available {
		return kernel.Name() + " kernels"
	}
	return blasName()
}

var errClosed = errors.New("cpu: the device is closed, open another one")

// Alloc implements device.Device.
func (d *Device) Alloc(bytes int64) (device.Mem, error) {
	if d.closed {
		return device.Mem{}, errClosed
	}
	if bytes <= 0 {
		return device.Mem{}, fmt.Errorf("cpu: %w: an allocation of %d bytes, wanted a positive number", device.ErrGeometry, bytes)
	}
	if free, known := available(); known && bytes > free {
		return device.Mem{}, fmt.Errorf("cpu: %w", &device.OutOfMemoryError{Device: d.Name(), Want: bytes, Free: free})
	}
	n := int((bytes + 3) / 4)
	arena := allocate(n)
	if arena == nil {
		free, _ := available()
		return device.Mem{}, fmt.Errorf("cpu: %w", &device.OutOfMemoryError{Device: d.Name(), Want: bytes, Free: free})
	}
	d.arenas = append(d.arenas, arena)
	return device.Mem{Arena: int32(len(d.arenas)), Len: bytes}, nil
}

// allocate returns n zeroed words at a multiple of device.Align.
func allocate(n int) []float32 {
	if kernel.Available {
		return kernel.Alloc(n)
	}
	raw := make([]float32, n+device.Align/4)
	// Large Go objects lie on page boundaries, small ones anywhere; none of them moves.
	skip := int(-uintptr(unsafe.Pointer(&raw[0]))%device.Align) / 4
	return raw[skip : skip+n : skip+n]
}

// floats returns the words of m, and whether m is memory of d.
func (d *Device) floats(m device.Mem) ([]float32, bool) {
	if m.Arena < 1 || int(m.Arena) > len(d.arenas) || m.Off < 0 || m.Len < 0 || m.Off%4 != 0 {
		return nil, false
	}
	a := d.arenas[m.Arena-1]
	lo, n := m.Off/4, m.Len/4
	if lo > int64(len(a)) || n > int64(len(a))-lo {
		return nil, false
	}
	return a[lo : lo+n : lo+n], true
}

// transfer returns the bytes of m for a copy of n bytes.
func (d *Device) transfer(m device.Mem, n int) ([]byte, error) {
	if d.closed {
		return nil, errClosed
	}
	if int64(n) != m.Len || n%4 != 0 {
		return nil, fmt.Errorf("cpu: %w: a copy between %d bytes on the host and %d on the device, wanted equal multiples of 4", device.ErrGeometry, n, m.Len)
	}
	v, ok := d.floats(m)
	if !ok {
		return nil, fmt.Errorf("cpu: %w: %+v is no memory of this device", device.ErrGeometry, m)
	}
	return device.Bytes(v), nil
}

// Upload implements device.Device.
func (d *Device) Upload(dst device.Mem, src []byte) error {
	b, err := d.transfer(dst, len(src))
	copy(b, src)
	return err
}

// Download implements device.Device.
func (d *Device) Download(dst []byte, src device.Mem) error {
	b, err := d.transfer(src, len(dst))
	copy(dst, b)
	return err
}

// Sync implements device.Device: there is never anything to wait for.
func (d *Device) Sync() error {
	if d.closed {
		return errClosed
	}
	return nil
}

// Close implements device.Device. Closing twice is harmless; steps fail afterwards.
func (d *Device) Close() error {
	if !d.closed {
		d.closed = true
		d.crew.stop()
		if kernel.Available {
			for _, a := range d.arenas {
				kernel.Free(a)
			}
		}
		d.arenas = nil
	}
	return nil
}
