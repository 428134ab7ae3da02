package device

import (
	"errors"
	"fmt"
)

// Precision says how products are computed and how activations are stored. Sums are float32 in all of them, and so are parameters,
// their gradients, statistics, the state of optimisers and losses.
type Precision uint8

// The precisions. FP32 is float32 throughout. TF32 stores float32 and rounds the factors of a product to 11 significant bits on the way
// to the tensor cores. BF16 stores activations, their gradients and a copy of the weights as bfloat16, of 8 significant bits, and
// multiplies these exactly; only what is stored as bfloat16 is rounded.
const (
	FP32 Precision = iota
	TF32
	BF16
)

var precisionNames = [...]string{FP32: "fp32", TF32: "tf32", BF16: "bf16"}

func (p Precision) String() string {
	if p.valid() {
		return precisionNames[p]
	}
	return fmt.Sprintf("precision(%d)", uint8(p))
}

// ParsePrecision is the inverse of String.
func ParsePrecision(s string) (Precision, error) {
	for p, name := range precisionNames {
		if s == name {
			return Precision(p), nil
		}
	}
	return FP32, fmt.Errorf("unknown precision %q, wanted fp32, tf32 or bf16", s)
}

// MarshalText implements encoding.TextMarshaler, for settings in files and flags.
func (p Precision) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Precision) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePrecision(string(text))
	return err
}

func (p Precision) valid() bool { return int(p) < len(precisionNames) }

// Type returns the type of stored activations.
func (p Precision) Type() Type {
	if p == BF16 {
		return BFloat16
	}
	return Float32
}

// Type is the type of an operand's elements.
type Type uint8

// The types. BFloat16 is the upper half of a float32: its range, and 8 significant bits.
const (
	Float32 Type = iota
	BFloat16
)

func (t Type) String() string {
	switch t {
	case Float32:
		return "float32"
	case BFloat16:
		return "bfloat16"
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// Size returns the bytes of one element.
func (t Type) Size() int64 {
	if t == BFloat16 {
		return 2
	}
	return 4
}

func (t Type) valid() bool { return t <= BFloat16 }

// Needs returns the precision that a device must have to bind c.
func Needs(c Call) Precision {
	switch c := c.(type) {
	case interface{ precision() Precision }:
		return c.precision()
	case interface{ storage() Type }:
		if c.storage() == BFloat16 {
			return BF16
		}
	}
	return FP32
}

// CheckPrecision returns the error of d, which wraps ErrUnsupported, if d does not compute with p. It asks by binding a product without
// operands: a device that has the precision misses these, one that lacks it says so first.
func CheckPrecision(d Device, p Precision) error {
	_, err := d.Bind(Gemm{M: 1, N: 1, K: 1, Precision: p, CType: p.Type()})
	if errors.Is(err, ErrUnsupported) {
		return err
	}
	return nil
}
