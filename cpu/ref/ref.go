// Package ref is the oracle: a device that computes every call of package device in float64, with the loops of
// its definition and no cleverness.
//
// Tests compare fast devices with it, and check gradients by finite differences on it: a central difference loses half
// of the digits, which leaves none in float32 and about ten in float64. It is far too slow to train with.
package ref

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// Device implements device.Device. Each element of its memory is held as a float64, and only Download rounds, to float32 or
// bfloat16: under BF16 it computes what a device would without any rounding. Steps run at once, in the caller's goroutine.
type Device struct {
	arenas []*arena // arena a is arenas[a-1]
	closed bool
}

// New returns a device without memory.
func New() *Device { return &Device{} }

// Name implements device.Device.
func (*Device) Name() string { return "ref (float64)" }

// errClosed is what every method of a closed device reports.
var errClosed = errors.New("ref: the device is closed")

// Alloc implements device.Device. Bytes that do not fill a word are rounded up.
func (d *Device) Alloc(bytes int64) (device.Mem, error) {
	if d.closed {
		return device.Mem{}, errClosed
	}
	if bytes <= 0 {
		return device.Mem{}, fmt.Errorf("ref: %w: an allocation of %d bytes, wanted a positive number", device.ErrGeometry, bytes)
	}
	d.arenas = append(d.arenas, newArena((bytes+3)/4))
	return device.Mem{Arena: int32(len(d.arenas)), Len: bytes}, nil
}

// arena returns where m lies, and whether it is memory of d.
func (d *Device) arena(m device.Mem) (*arena, bool) {
	if m.Arena < 1 || int(m.Arena) > len(d.arenas) || m.Off < 0 || m.Len < 0 {
		return nil, false
	}
	a := d.arenas[m.Arena-1]
	size := 4 * int64(len(a.words))
	return a, m.Off <= size && m.Len <= size-m.Off
}

// Float64s returns the float32 words of m at full precision, to be read or perturbed in place; nil if m is no memory of d.
func (d *Device) Float64s(m device.Mem) []float64 {
	s, ok := d.single(m)
	if !ok {
		return nil
	}
	s.arena.unpack(s.lo, s.hi)
	return s.values()
}

// transfer checks the two sides of a copy between host and device, and returns the number of the first word.
func (d *Device) transfer(m device.Mem, bytes int) (*arena, int, error) {
	if d.closed {
		return nil, 0, errClosed
	}
	if int64(bytes) != m.Len || bytes%2 != 0 {
		return nil, 0, fmt.Errorf("ref: %w: a copy of %d bytes and %d bytes, wanted equal even numbers", device.ErrGeometry, m.Len, bytes)
	}
	a, ok := d.arena(m)
	if !ok || m.Off%4 != 0 {
		return nil, 0, fmt.Errorf("ref: %w: %+v is no memory of this device", device.ErrGeometry, m)
	}
	return a, int(m.Off / 4), nil
}

// Upload implements device.Device.
func (d *Device) Upload(dst device.Mem, src []byte) error {
	a, at, err := d.transfer(dst, len(src))
	if err != nil {
		return err
	}
	n := len(src) / 4
	a.unpack(at, at+n)
	for i := range n {
		a.words[at+i] = fromWord(binary.NativeEndian.Uint32(src[4*i:]))
	}
	if len(src)%4 != 0 {
		a.pack(at + n)
		a.words[at+n] = fromHalf(binary.NativeEndian.Uint16(src[4*n:]))
	}
	return nil
}

// Download implements device.Device. Values are rounded to the nearest float32 or bfloat16.
func (d *Device) Download(dst []byte, src device.Mem) error {
	a, at, err := d.transfer(src, len(dst))
	if err != nil {
		return err
	}
	n := len(dst) / 4
	for i := range n {
		binary.NativeEndian.PutUint32(dst[4*i:], a.bits(at+i))
	}
	if len(dst)%4 != 0 {
		binary.NativeEndian.PutUint16(dst[4*n:], uint16(a.bits(at+n)))
	}
	return nil
}

// Sync implements device.Device: there is never anything to wait for.
func (d *Device) Sync() error {
	if d.closed {
		return errClosed
	}
	return nil
}

// Close implements device.Device.
func (d *Device) Close() error {
	d.arenas, d.closed = nil, true
	return nil
}
