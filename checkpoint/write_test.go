package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWriteRead(t *testing.T) {
	// Sizes around the chunk in which reading and writing work.
	const chunk = chunkBytes / 4
	tensors := []Tensor{
		{Name: "steps", DType: I64, Raw: []byte{42, 0, 0, 0, 0, 0, 0, 0}},
		{Name: "scalar", Data: []float32{2.5}},
		{Name: "empty", Shape: []int{0, 3}},
	}
	for i, n := range []int{1, 2, 17, chunk - 1, chunk, chunk + 1, 2*chunk + 3} {
		x := normals(n, i)
		tensors = append(tensors,
			Tensor{Name: "data." + string(rune('a'+i)), Shape: []int{n}, Data: x},
			Tensor{Name: "fill." + string(rune('a'+i)), Shape: []int{1, n}, Fill: func(dst []float32) error { copy(dst, x); return nil }})
	}
	metadata := map[string]string{"classes": `["a<b", "ü"]`, "empty": ""}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := Write(path, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Verify(); err != nil {
		t.Error(err)
	}
	if got := f.Metadata(); got["classes"] != metadata["classes"] || len(got) != 3 {
		t.Errorf("got metadata %v, want %v and the digests", got, metadata)
	}
	if len(f.Tensors()) != len(tensors) {
		t.Fatalf("got %d tensors, want %d", len(f.Tensors()), len(tensors))
	}
	for _, want := range tensors {
		info, err := f.Info(want.Name)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(info.Shape, want.Shape) {
			t.Errorf("%s: got shape %v, want %v", want.Name, info.Shape, want.Shape)
		}
		if info.offset%int64(info.DType.Size()) != 0 {
			t.Errorf("%s: offset %d is not aligned to %s", want.Name, info.offset, info.DType)
		}
		if info.DType != F32 {
			continue
		}
		data := want.Data
		if want.Fill != nil {
			data = make([]float32, info.Elems())
			if err := want.Fill(data); err != nil {
				t.Fatal(err)
			}
		}
		got := make([]float32, info.Elems())
		if err := f.Float32s(want.Name, got); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, data) {
			t.Errorf("%s: elements changed", want.Name)
		}
	}
	steps := make([]int64, 1)
	if err := f.Int64s("steps", steps); err != nil || steps[0] != 42 {
		t.Errorf("steps: got %d, %v", steps[0], err)
	}
}

// The layout is the format's own, so that files can be compared byte by byte with those of Python's safetensors: wide
// types first, then by name; compact JSON; blanks up to a multiple of 8.
func TestWriteLayout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	tensors := []Tensor{
		{Name: "u", DType: U8, Shape: []int{3}, Raw: []byte{1, 2, 3}},
		{Name: "b", Shape: []int{1}, Data: []float32{1}},
		{Name: "a", Shape: []int{2}, Data: []float32{2, 3}},
		{Name: "z", DType: I64, Raw: make([]byte, 8)},
	}
	if err := Write(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := le.Uint64(b)
	header := b[8 : 8+n]
	_, entries, ok := strings.Cut(string(header), `"},`)
	want := `"z":{"dtype":"I64","shape":[],"data_offsets":[0,8]},` +
		`"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},` +
		`"b":{"dtype":"F32","shape":[1],"data_offsets":[16,20]},` +
		`"u":{"dtype":"U8","shape":[3],"data_offsets":[20,23]}}`
	if !ok || strings.TrimRight(entries, " ") != want || n%8 != 0 {
		t.Errorf("got header of %d bytes %s, want %s", n, entries, want)
	}
	if !json.Valid(header) {
		t.Errorf("the header is not JSON: %s", header)
	}
	if data := b[8+n:]; !bytes.Equal(data[20:], []byte{1, 2, 3}) || len(data) != 23 {
		t.Errorf("got data % x", data)
	}

	// The same input in another order gives the same bytes.
	slices.Reverse(tensors)
	if err := Write(path, tensors, map[string]string{}); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, b) {
		t.Errorf("the file depends on the order of the tensors (error %v)", err)
	}
}

func TestWriteRefuses(t *testing.T) {
	one := []float32{1}
	cases := []struct {
		name     string
		tensors  []Tensor
		metadata map[string]string
		about    string
	}{
		{"too few elements", []Tensor{{Name: "x", Shape: []int{2}, Data: one}}, nil, "want 8 bytes"},
		{"no source", []Tensor{{Name: "x", Shape: []int{2}}}, nil, "want one of"},
		{"two sources", []Tensor{{Name: "x", Data: one, Raw: make([]byte, 4)}}, nil, "want one of"},
		{"negative dimension", []Tensor{{Name: "x", Shape: []int{-1, -1}, Data: one}}, nil, "at least 0"},
		{"overflow", []Tensor{{Name: "x", Shape: []int{math.MaxInt, 2}, Data: one}}, nil, "overflows"},
		{"half from floats", []Tensor{{Name: "x", DType: F16, Data: one}}, nil, "want Raw"},
		{"unknown type", []Tensor{{Name: "x", DType: "F8", Raw: []byte{1}}}, nil, `"F8"`},
		{"name twice", []Tensor{{Name: "x", Data: one}, {Name: "x", Data: one}}, nil, "twice"},
		{"name twice, other type", []Tensor{{Name: "x", Data: one}, {Name: "x", DType: U8, Raw: []byte{1}}}, nil, "twice"},
		{"reserved name", []Tensor{{Name: metadataKey, Data: one}}, nil, "other than"},
		{"name not UTF-8", []Tensor{{Name: "\xff", Data: one}}, nil, "UTF-8"},
		{"metadata not UTF-8", nil, map[string]string{"k": "\xff"}, "UTF-8"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			err := Write(filepath.Join(dir, "m"), c.tensors, c.metadata)
			if !errors.Is(err, ErrTensor) || !strings.Contains(err.Error(), c.about) {
				t.Errorf("got %v, want ErrTensor with %q", err, c.about)
			}
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("left %v behind", left)
			}
		})
	}
}

func TestFillErrorKeepsThePreviousFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := Write(path, []Tensor{{Name: "x", Data: []float32{1}}}, nil); err != nil {
		t.Fatal(err)
	}
	lost := errors.New("device lost")
	err := Write(path, []Tensor{
		{Name: "a", Shape: []int{100000}, Fill: func([]float32) error { return nil }},
		{Name: "b", Shape: []int{1}, Fill: func([]float32) error { return lost }},
	}, nil)
	if !errors.Is(err, lost) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("got %v, want the error of Fill and the tensor's name", err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Verify(); err != nil || len(f.Tensors()) != 1 {
		t.Errorf("the previous file changed: %v", err)
	}
}
