package checkpoint

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Whatever the bytes: no panic; and what opens is consistent, readable, and survives being written and read again.
func FuzzSafetensors(f *testing.F) {
	for _, c := range badFiles {
		f.Add(c.file)
	}
	for _, c := range oddFiles {
		f.Add(c.file)
	}
	f.Add(raw(`{"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"i":{"dtype":"I64","shape":[],"data_offsets":[4,12]}}`, make([]byte, 12)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		file := openHostile(t, b)
		if file == nil {
			return
		}
		sum := int64(0)
		var tensors []Tensor
		for _, info := range file.Tensors() {
			sum += info.Size
			r, err := file.Raw(info.Name)
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(r)
			if err != nil || int64(len(data)) != info.Size {
				t.Fatalf("tensor %q: got %d bytes and %v, want %d", info.Name, len(data), err, info.Size)
			}
			tensors = append(tensors, Tensor{Name: info.Name, DType: info.DType, Shape: info.Shape, Raw: data})
		}
		if sum > int64(len(b)) {
			t.Fatalf("a file of %d bytes has tensors of %d", len(b), sum)
		}
		// Written again, it holds the same.
		path := filepath.Join(t.TempDir(), "again")
		if err := Write(path, tensors, file.Metadata()); err != nil {
			t.Fatalf("a file that was read cannot be written: %v", err)
		}
		again, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if err := again.Verify(); err != nil {
			t.Fatal(err)
		}
		for _, want := range tensors {
			info, err := again.Info(want.Name)
			if err != nil {
				t.Fatal(err)
			}
			r, err := again.Raw(want.Name)
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(data, want.Raw) || !slices.Equal(info.Shape, want.Shape) {
				t.Fatalf("tensor %q changed: shape %v to %v, error %v", want.Name, want.Shape, info.Shape, err)
			}
		}
	})
}

// Any byte that changes in a file with digests is noticed, on opening or by Verify.
func FuzzVerify(f *testing.F) {
	path := filepath.Join(f.TempDir(), "x.safetensors")
	err := Write(path, []Tensor{
		{Name: "w", Shape: []int{2, 3}, Data: normals(6, 0)},
		{Name: "n", DType: I64, Raw: []byte{7, 0, 0, 0, 0, 0, 0, 0}},
	}, map[string]string{"epoch": "3"})
	if err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	for i := range good {
		f.Add(i, byte(1))
	}
	f.Fuzz(func(t *testing.T, i int, flip byte) {
		if i < 0 || i >= len(good) || flip == 0 {
			return
		}
		bad := slices.Clone(good)
		bad[i] ^= flip
		file, err := openBytes(bad)
		if err == nil {
			err = file.Verify()
		}
		if err == nil && !sameContents(t, file, good) {
			t.Fatalf("byte %d changed from %#x to %#x and nobody noticed", i, good[i], bad[i])
		}
	})
}

// sameContents tells whether file equals the good one although a byte differs: in the padding, or in the case of an
// escape sequence.
func sameContents(t *testing.T, file *File, good []byte) bool {
	want, err := openBytes(good)
	if err != nil {
		t.Fatal(err)
	}
	a, b := file.Tensors(), want.Tensors()
	return slices.EqualFunc(a, b, func(x, y Info) bool {
		return x.Name == y.Name && x.DType == y.DType && slices.Equal(x.Shape, y.Shape)
	}) && metadataDigest(file.metadata) == metadataDigest(want.metadata)
}
