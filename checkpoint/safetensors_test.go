package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The damaged headers, one for each check of the reader. They seed the fuzz target too.
var badFiles = []struct {
	name  string
	file  []byte
	want  error
	about string // part of the message
}{
	{"empty", nil, ErrCorrupt, "8-byte length"},
	{"seven bytes", []byte("1234567"), ErrCorrupt, "8-byte length"},
	{"length without header", raw("")[:8], ErrCorrupt, "starts with {"},
	{"length beyond the limit", []byte("\xff\xff\xff\xff\xff\xff\xff\x7f{}"), ErrCorrupt, "at most"},
	{"negative length", []byte("\xff\xff\xff\xff\xff\xff\xff\xff{}"), ErrCorrupt, "at most"},
	{"length beyond the file", []byte("\x00\x00\x00\x01\x00\x00\x00\x00{}"), ErrCorrupt, "truncated"},
	{"no object", raw(`[]`), ErrCorrupt, "starts with {"},
	{"leading blank", raw(` {}`), ErrCorrupt, "starts with {"},
	{"half an object", raw(`{"a":{`), ErrCorrupt, "JSON"},
	{"bad UTF-8", raw("{\"\xff\":1}"), ErrCorrupt, "UTF-8"},
	{"two objects", raw(`{}{}`), ErrCorrupt, "nothing but blanks"},
	{"zero bytes after the object", raw("{}\x00"), ErrCorrupt, "nothing but blanks"},
	{"tensor is a number", raw(`{"a":1}`), ErrCorrupt, `want {, got "1"`},
	{"duplicate tensor", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 1, 2), ErrCorrupt, "two"},
	{"duplicate field", raw(`{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), ErrCorrupt, "two"},
	{"duplicate metadata", raw(`{"__metadata__":{"k":"a","k":"b"}}`), ErrCorrupt, "two"},
	{"metadata is a number", raw(`{"__metadata__":{"k":1}}`), ErrCorrupt, "string"},
	{"metadata is a list", raw(`{"__metadata__":[]}`), ErrCorrupt, "want {"},
	{"no dtype", raw(`{"a":{"shape":[1],"data_offsets":[0,1]}}`, 1), ErrCorrupt, "want dtype"},
	{"no shape", raw(`{"a":{"dtype":"U8","data_offsets":[0,1]}}`, 1), ErrCorrupt, "want dtype"},
	{"three offsets", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}`, 1), ErrCorrupt, "at most 2 integers"},
	{"dtype is a number", raw(`{"a":{"dtype":8,"shape":[1],"data_offsets":[0,1]}}`, 1), ErrCorrupt, "string"},
	{"unknown dtype", raw(`{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}`, 1), ErrFormat, "F8_E4M3"},
	{"fractional dimension", raw(`{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}`, 1), ErrCorrupt, "integer"},
	{"negative dimension", raw(`{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}`, 1), ErrCorrupt, "integer"},
	{"quoted dimension", raw(`{"a":{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}}`, 1), ErrCorrupt, "integer"},
	{"dimension above int64", raw(`{"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,1]}}`, 1), ErrCorrupt, "integer"},
	{"product overflows", raw(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`), ErrCorrupt, "overflows"},
	{"descending offsets", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}`, 1), ErrCorrupt, "ascending"},
	{"size differs from shape", raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 1, 2, 3, 4), ErrCorrupt, "want 8 bytes"},
	{"hole at the start", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 1, 2), ErrCorrupt, "hole"},
	{"hole between", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, 1, 2, 3), ErrCorrupt, "hole"},
	{"overlap", raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 1, 2, 3), ErrCorrupt, "overlap"},
	{"sum overflows", raw(`{"a":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}}`), ErrCorrupt, "overflows"},
	{"data cut", raw(`{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}`, 1, 2), ErrCorrupt, "truncated"},
	{"data left over", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1, 2), ErrCorrupt, "after the last tensor"},
	{"NumPy", []byte("\x93NUMPY\x01\x00\x76\x00"), ErrFormat, "NumPy"},
	{"gzip", []byte("\x1f\x8b\x08\x00\x7a\x65\x20\x67\x00\x03"), ErrFormat, "gzip"},
}

func TestOpenRefusesDamage(t *testing.T) {
	for _, c := range badFiles {
		t.Run(c.name, func(t *testing.T) {
			_, err := openBytes(c.file)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want an error that wraps %q", err, c.want)
			}
			for _, part := range []string{"test.safetensors", c.about} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("message %q lacks %q", err, part)
				}
			}
		})
	}
}

// Headers that other programs write and that are valid although this package would not write them so.
var oddFiles = []struct {
	name string
	file []byte
	want []string // names in file order
}{
	{"no tensors", raw(`{}`), nil},
	{"only metadata", raw(`{"__metadata__":{"format":"pt"}}   `), nil},
	{"header as long as a pickle's magic", raw(`{` + strings.Repeat(" ", 0x0280-2) + `}`), nil},
	{"file order differs from header order", raw(`{"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}`, 1, 2), []string{"a", "b"}},
	{"empty tensor between", raw(`{"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},"e":{"dtype":"F32","shape":[0,7],"data_offsets":[1,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1, 2), []string{"a", "e", "b"}},
	{"unknown field", raw(`{"a":{"dtype":"U8","stride":[{"x":[1]}],"shape":[1],"data_offsets":[0,1]}}`, 1), []string{"a"}},
	{"escaped name", raw(`{"\u00e9\n":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), []string{"é\n"}},
}

func TestOpenAcceptsOddities(t *testing.T) {
	for _, c := range oddFiles {
		t.Run(c.name, func(t *testing.T) {
			f, err := openBytes(c.file)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, info := range f.Tensors() {
				got = append(got, info.Name)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got tensors %q, want %q", got, c.want)
			}
		})
	}
}

func TestOpenNamesWhatIsNoFile(t *testing.T) {
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "directory") {
		t.Errorf("a directory: got %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent file: got %v", err)
	}
}

// Every type's extreme and special values, encoded by hand, decode to the numbers that the format's type promises.
func TestElementTypes(t *testing.T) {
	inf := math.Inf(1)
	cases := []struct {
		dtype DType
		bytes []byte
		want  []float64
	}{
		{F64, []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f}, []float64{1.5, inf}},
		{F32, []byte{0, 0, 0xc0, 0xbf, 1, 0, 0, 0}, []float64{-1.5, math.SmallestNonzeroFloat32}},
		{F16, []byte{0, 0x3e, 1, 0, 0xff, 3, 0, 4, 0xff, 0x7b, 0, 0xfc, 0, 0x80}, []float64{1.5, 0x1p-24, 0x3ffp-24, 0x1p-14, 65504, -inf, 0}},
		{BF16, []byte{0xc0, 0x3f, 0x80, 0xff, 1, 0}, []float64{1.5, -inf, 0x1p-133}},
		{I64, []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, []float64{-2}},
		{I32, []byte{0, 0, 0, 0x80}, []float64{math.MinInt32}},
		{I16, []byte{0, 0x80}, []float64{math.MinInt16}},
		{I8, []byte{0x80, 0x7f}, []float64{-128, 127}},
		{U64, []byte{0, 0, 0, 0, 1, 0, 0, 0}, []float64{1 << 32}},
		{U32, []byte{0xff, 0xff, 0xff, 0xff}, []float64{math.MaxUint32}},
		{U16, []byte{0xff, 0xff}, []float64{math.MaxUint16}},
		{U8, []byte{0xff}, []float64{255}},
		{Bool, []byte{0, 1, 2}, []float64{0, 1, 1}},
	}
	for _, c := range cases {
		t.Run(string(c.dtype), func(t *testing.T) {
			n := len(c.want)
			f, err := openBytes(raw(fmt.Sprintf(`{"x":{"dtype":%q,"shape":[%d],"data_offsets":[0,%d]}}`, c.dtype, n, len(c.bytes)), c.bytes...))
			if err != nil {
				t.Fatal(err)
			}
			floats, ints := make([]float32, n), make([]int64, n)
			floatErr, intErr := f.Float32s("x", floats), f.Int64s("x", ints)
			if c.dtype.IsFloat() {
				floatErr, intErr = intErr, floatErr
			}
			if !errors.Is(floatErr, ErrFormat) || intErr != nil {
				t.Fatalf("want exactly one of Float32s and Int64s to accept %s, got %v and %v", c.dtype, floatErr, intErr)
			}
			for i, want := range c.want {
				got := float64(ints[i])
				if c.dtype.IsFloat() {
					got = float64(floats[i])
				}
				if got != want {
					t.Errorf("element %d: got %v, want %v", i, got, want)
				}
			}
		})
	}
}

// All 65536 half-precision patterns against the definition (-1)^s 2^(e-15) (1 + f/1024).
func TestHalfPrecisionExhaustively(t *testing.T) {
	for h := range 1 << 16 {
		got := float64(halfToFloat32(uint16(h)))
		e, f := h>>10&31, float64(h&1023)
		want := math.Ldexp(1+f/1024, e-15)
		switch {
		case e == 0:
			want = math.Ldexp(f/1024, -14)
		case e == 31 && f == 0:
			want = math.Inf(1)
		case e == 31:
			want = math.NaN()
		}
		if h&0x8000 != 0 {
			want = -want
		}
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != (h&0x8000 != 0) {
			t.Fatalf("pattern %#04x: got %v, want %v", h, got, want)
		}
	}
}

func TestReadErrors(t *testing.T) {
	f, err := openBytes(raw(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 0, 0, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Float32s("y", nil); !errors.Is(err, ErrNoTensor) {
		t.Errorf("absent name: got %v", err)
	}
	if err := f.Float32s("x", make([]float32, 2)); !errors.Is(err, ErrTensor) {
		t.Errorf("wrong length: got %v", err)
	}
	r, err := f.Raw("x")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, make([]byte, 4)) {
		t.Errorf("raw: got %v, %v", b, err)
	}
}

// A file that shrinks after it was opened is reported as damaged, not as an unexpected EOF.
func TestFileShrinksWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := Write(path, []Tensor{{Name: "x", Shape: []int{1000}, Data: normals(1000, 0)}}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Truncate(path, f.Size()-4); err != nil {
		t.Fatal(err)
	}
	if err := f.Float32s("x", make([]float32, 1000)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v, want ErrCorrupt", err)
	}
}
