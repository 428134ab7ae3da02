package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// PyTorch 2 writes types without a storage class as untyped storages with the type apart.
func TestRebuildTensorV3(t *testing.T) {
	tensor := func(storageClass string, numel, offset, n int64, dtype string, flags ...byte) string {
		p := new(pickler).global("torch._utils\n_rebuild_tensor_v3").op(opMark).op(opMark)
		p.text("storage").global(storageClass).text("0").text("cpu").int(numel).op(opTuple, opBinPersID)
		p.int(offset).ints(n).ints(1).op(opNewFalse, opEmptyDict).global(dtype).op(flags...)
		return p.op(opTuple, opReduce, opStop).String()
	}
	const untyped = "torch.storage\nUntypedStorage"
	cases := []struct {
		name, pickle string
		dtype        DType
		first        int64
		want         error
		about        string
	}{
		{name: "uint16", pickle: tensor(untyped, 32, 3, 13, "torch\nuint16"), dtype: U16, first: 0x4000},
		{name: "uint32", pickle: tensor(untyped, 32, 1, 7, "torch\nuint32", opNone), dtype: U32, first: 0x40000000},
		{name: "uint64, no flags", pickle: tensor(untyped, 32, 3, 1, "torch\nuint64", opEmptyDict), dtype: U64, first: 0x4100000040e00000},
		{name: "typed", pickle: tensor("torch\nFloatStorage", 8, 0, 8, "torch\nfloat32"), dtype: F32},
		{name: "past the end", pickle: tensor(untyped, 32, 0, 17, "torch\nuint16"), want: ErrCorrupt, about: "within the 16"},
		{name: "two types", pickle: tensor("torch\nFloatStorage", 8, 0, 8, "torch\nint32"), want: ErrCorrupt, about: "F32"},
		{name: "no type", pickle: tensor(untyped, 32, 0, 8, "torch\nFloatStorage"), want: ErrCorrupt, about: "want a type"},
		{name: "flags", pickle: tensor(untyped, 32, 0, 8, "torch\nuint16", flagged("neg")...), want: ErrFormat, about: "flags"},
		{name: "8-bit floats", pickle: tensor(untyped, 32, 0, 8, "torch\nfloat8_e4m3fn"), want: ErrFormat, about: "8-bit floats"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f, err := openBytes(torchArchive(t, c.pickle, eightFloats))
			if c.want != nil {
				if err == nil {
					t.Fatal("opened, want an error")
				}
				wantError(t, err, c.want, c.about)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			info := f.Tensors()[0]
			if info.DType != c.dtype {
				t.Errorf("got %s, want %s", info.DType, c.dtype)
			}
			if info.DType.IsFloat() {
				return
			}
			x := make([]int64, info.Elems())
			if err := f.Int64s("tensor", x); err != nil || x[0] != c.first {
				t.Errorf("got %#x, %v, want %#x", x[0], err, c.first)
			}
		})
	}
}

// A failure of the disk is reported as itself at whatever read it comes: the file is not called damaged.
func TestFailingDisk(t *testing.T) {
	dir := t.TempDir()
	in, err := Open(filepath.Join("testdata", "views.pth"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	converted := filepath.Join(dir, "views.safetensors")
	if err := Convert(in, converted); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join("testdata", "views.pth"), filepath.Join("testdata", "views-legacy.pth"), filepath.Join("testdata", "types-big-endian.pth"), converted} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for n := 0; ; n++ {
				disk := &failingDisk{r: bytes.NewReader(b), left: n}
				f, err := New(disk, int64(len(b)), path)
				if err == nil {
					err = readAll(f)
				}
				if err == nil {
					if n < 5 {
						t.Errorf("%d reads were enough; the test tests nothing", n)
					}
					return
				}
				if !errors.Is(err, errDisk) || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), path) {
					t.Fatalf("read %d failed: got %v, want the disk's error with the path", n, err)
				}
			}
		})
	}
}

var errDisk = errors.New("input/output error")

// A failingDisk fails after a number of reads.
type failingDisk struct {
	r    io.ReaderAt
	left int
}

func (d *failingDisk) ReadAt(p []byte, off int64) (int, error) {
	if d.left--; d.left < 0 {
		return 0, errDisk
	}
	return d.r.ReadAt(p, off)
}

// Long lists of what was left out are cut, and long names too.
func TestSkippedIsBounded(t *testing.T) {
	p := new(pickler).op(opEmptyDict, opMark)
	for i := range 40 {
		p.text(fmt.Sprint(i, strings.Repeat("x", 1000))).op(opNone)
	}
	p.text("w").tensor("0", 8, 0, []int64{8}, []int64{1}, false).op(opSetItems, opStop)
	f, err := openBytes(torchArchive(t, p.String(), eightFloats))
	if err != nil {
		t.Fatal(err)
	}
	text := f.Metadata()[MetaSkipped]
	if len(text) > 16*100 || !strings.HasPrefix(text, "0xxx") || !strings.HasSuffix(text, "...=None and 24 more") {
		t.Errorf("got %d bytes: %s", len(text), text)
	}
}

// Tensors that share a storage, and its one checksum, can be read at the same time.
func TestConcurrentReading(t *testing.T) {
	f, err := Open(filepath.Join("testdata", "views.pth"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = readAll(f) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

// flagged is a dictionary with one flag that is set.
func flagged(flag string) []byte {
	return slices.Concat([]byte{opEmptyDict}, new(pickler).text(flag).Bytes(), []byte{opNewTrue, opSetItem})
}

// Blocks of any length, across the chunks in which the file is read, make the same tensor as one piece.
func TestFloat32Blocks(t *testing.T) {
	for _, file := range []string{"types.pth", "types-big-endian.pth", "views.pth", "views-legacy.pth"} {
		f, err := Open(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, info := range f.Tensors() {
			if !info.DType.IsFloat() {
				if err := f.Float32Blocks(info.Name, 1, nil); !errors.Is(err, ErrFormat) {
					t.Errorf("%s: got %v, want ErrFormat", info.Name, err)
				}
				continue
			}
			want := make([]float32, info.Elems())
			if err := f.Float32s(info.Name, want); err != nil {
				t.Fatal(err)
			}
			for _, block := range []int{0, 1, 3, len(want), len(want) + 1} {
				wantBlocks(t, f, info.Name, block, want)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "long.safetensors")
	want := normals(2*chunkBytes/4+5, 0)
	if err := Write(path, []Tensor{{Name: "x", Shape: []int{len(want)}, Data: want}}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, block := range []int{chunkBytes/4 - 1, chunkBytes / 4, chunkBytes/4 + 1, 1000, 1 << 30} {
		wantBlocks(t, f, "x", block, want)
	}
}

func wantBlocks(t *testing.T, f *File, name string, block int, want []float32) {
	t.Helper()
	var got []float32
	err := f.Float32Blocks(name, block, func(first int, part []float32) error {
		if first != len(got) || len(part) > max(block, 1) || len(part) == 0 {
			t.Errorf("%s in blocks of %d: got %d elements from %d after %d", name, block, len(part), first, len(got))
		}
		got = append(got, part...)
		return nil
	})
	same := func(a, b float32) bool { return a == b || a != a && b != b }
	if err != nil || !slices.EqualFunc(got, want, same) {
		t.Errorf("%s in blocks of %d: %v, %d elements, want %d", name, block, err, len(got), len(want))
	}
}
