package device

import (
	"errors"
	"fmt"
)

// ErrUnsupported marks a call that a device has no kernel for.
var ErrUnsupported = errors.New("not supported by this device")

// ErrGeometry marks a call whose sizes or operands contradict each other.
var ErrGeometry = errors.New("bad geometry")

// ErrOperand marks a call whose sizes are sound but whose operands are missing, too small or misaligned. It is an ErrGeometry
// too. A Workspacer tells the two apart: it is asked before operands are placed.
var ErrOperand = fmt.Errorf("%w of an operand", ErrGeometry)

// OutOfMemoryError says that an allocation does not fit.
type OutOfMemoryError struct {
	Device     string
	Want, Free int64 // bytes
}

func (e *OutOfMemoryError) Error() string {
	return fmt.Sprintf("%s: out of memory: wanted %d bytes, %d are free", e.Device, e.Want, e.Free)
}

// checker collects the first thing that is wrong with a call.
type checker struct {
	call string
	err  error
}

func (c *checker) that(ok bool, format string, args ...any) {
	if !ok && c.err == nil {
		c.err = fmt.Errorf("%s: %w: %s", c.call, ErrGeometry, fmt.Sprintf(format, args...))
	}
}

// maxSize bounds the elements of an operand, so that the sizes computed from a checked call fit an int64 many times over.
const maxSize = 1 << 40

// size checks that a product of dimensions is a possible number of elements. It comes before every use of that product.
func (c *checker) size(dims ...int) {
	n := 1
	for _, d := range dims {
		if d > 0 && n > maxSize/d {
			c.that(false, "%v elements, wanted at most %d in one operand", dims, maxSize)
			return
		}
		n *= d
	}
}

// precision checks that a precision is a known one.
func (c *checker) precision(p Precision) {
	c.that(p.valid(), "unknown %v, wanted fp32, tf32 or bf16", p)
}

// typ checks that a type is a known one.
func (c *checker) typ(t Type) { c.that(t.valid(), "unknown %v, wanted float32 or bfloat16", t) }

// mem checks that an operand is present and holds n float32 elements.
func (c *checker) mem(name string, m Mem, n int) { c.elements(name, m, n, Float32) }

// An operand is one of a call, with its name.
type operand struct {
	name string
	mem  Mem
}

// mems is mem for several operands of n elements each.
func (c *checker) mems(n int, list ...operand) {
	for _, o := range list {
		c.mem(o.name, o.mem, n)
	}
}

// elements checks that an operand is present and holds n elements of a type.
func (c *checker) elements(name string, m Mem, n int, t Type) {
	switch want := t.Size() * int64(n); {
	case c.err != nil:
	case m.IsZero():
		c.err = fmt.Errorf("%s: %w: %s is missing", c.call, ErrOperand, name)
	case m.Len < want:
		c.err = fmt.Errorf("%s: %w: %s holds %d bytes, wanted %d", c.call, ErrOperand, name, m.Len, want)
	case m.Off < 0 || m.Off%t.Size() != 0:
		c.err = fmt.Errorf("%s: %w: %s lies at byte %d, wanted a multiple of %d", c.call, ErrOperand, name, m.Off, t.Size())
	}
}

// optional is elements for an operand that may be absent.
func (c *checker) optional(name string, m Mem, n int, t Type) {
	if !m.IsZero() {
		c.elements(name, m, n, t)
	}
}
