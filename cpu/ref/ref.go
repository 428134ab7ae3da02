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
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// Device implements device.Device. Each 4-byte word of its memory is held as one float64, and only Upload and
// Download round to float32. Steps run at once, in the caller's goroutine.
type Device struct {
	arenas [][]float64 // arena a is arenas[a-1]
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
	d.arenas = append(d.arenas, make([]float64, (bytes+3)/4))
	return device.Mem{Arena: int32(len(d.arenas)), Len: bytes}, nil
}

// Float64s returns the words of m at full precision, to be read or perturbed in place; nil if m is no memory of d.
func (d *Device) Float64s(m device.Mem) []float64 {
	if m.Arena < 1 || int(m.Arena) > len(d.arenas) || m.Off < 0 || m.Len < 0 || m.Off%4 != 0 {
		return nil
	}
	a := d.arenas[m.Arena-1]
	lo, n := m.Off/4, m.Len/4
	if lo > int64(len(a)) || n > int64(len(a))-lo {
		return nil
	}
	return a[lo : lo+n : lo+n]
}

// transfer checks the two sides of a copy between host and device.
func (d *Device) transfer(m device.Mem, bytes int) ([]float64, error) {
	if d.closed {
		return nil, errClosed
	}
	if int64(bytes) != m.Len || bytes%4 != 0 {
		return nil, fmt.Errorf("ref: %w: a copy of %d bytes and %d bytes, wanted equal multiples of 4", device.ErrGeometry, m.Len, bytes)
	}
	v := d.Float64s(m)
	if v == nil && m.Len > 0 {
		return nil, fmt.Errorf("ref: %w: %+v is no memory of this device", device.ErrGeometry, m)
	}
	return v, nil
}

// Upload implements device.Device.
func (d *Device) Upload(dst device.Mem, src []byte) error {
	v, err := d.transfer(dst, len(src))
	for i := range v {
		v[i] = fromWord(binary.NativeEndian.Uint32(src[4*i:]))
	}
	return err
}

// Download implements device.Device. Values are rounded to the nearest float32.
func (d *Device) Download(dst []byte, src device.Mem) error {
	v, err := d.transfer(src, len(dst))
	for i := range v {
		binary.NativeEndian.PutUint32(dst[4*i:], toWord(v[i]))
	}
	return err
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

// quiet marks a float64 that carries the bits of a float32 NaN in its low half.
const quiet = 0x7ff8 << 48

// fromWord widens a word of device memory. Not every word is a number: Hyper holds a step counter, and tests poison
// memory with bit patterns. A conversion keeps all bits of numbers, denormal ones included, but not those of a NaN,
// which therefore travel as they are.
func fromWord(w uint32) float64 {
	if f := math.Float32frombits(w); f == f {
		return float64(f)
	}
	return math.Float64frombits(quiet | uint64(w))
}

// toWord is the inverse of fromWord, and rounds what is no float32.
func toWord(v float64) uint32 {
	if v != v {
		if w := uint32(math.Float64bits(v)); math.IsNaN(float64(math.Float32frombits(w))) {
			return w
		}
	}
	return math.Float32bits(float32(v))
}
