package checkpoint

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

func TestConvert(t *testing.T) {
	for _, file := range []string{"types.pth", "types-legacy.pth", "types-big-endian.pth", "views.pth", "views-legacy.pth", "nested.pth"} {
		t.Run(file, func(t *testing.T) {
			in, err := Open(filepath.Join("testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			dir := t.TempDir()
			once, twice := filepath.Join(dir, "once.safetensors"), filepath.Join(dir, "twice.safetensors")
			if err := Convert(in, once); err != nil {
				t.Fatal(err)
			}
			out, err := Open(once)
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			if err := out.Verify(); err != nil {
				t.Error(err)
			}
			wantSameTensors(t, out, in)
			want := in.Metadata()
			want["format"] = "pt"
			got := out.Metadata()
			delete(got, DigestsKey)
			if !maps.Equal(got, want) {
				t.Errorf("got metadata %v, want %v", got, want)
			}
			// What was written is converted to itself.
			if err := Convert(out, twice); err != nil {
				t.Fatal(err)
			}
			a, errA := os.ReadFile(once)
			b, errB := os.ReadFile(twice)
			if errA != nil || errB != nil || !bytes.Equal(a, b) {
				t.Errorf("converting again changed the file (%v, %v)", errA, errB)
			}
		})
	}
}

func wantSameTensors(t *testing.T, got, want *File) {
	t.Helper()
	if len(got.Tensors()) != len(want.Tensors()) {
		t.Fatalf("got %d tensors, want %d", len(got.Tensors()), len(want.Tensors()))
	}
	for _, info := range want.Tensors() {
		g, err := got.Info(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		if g.DType != info.DType || !slices.Equal(g.Shape, info.Shape) {
			t.Errorf("%s: got %s %v, want %s %v", info.Name, g.DType, g.Shape, info.DType, info.Shape)
		}
		a, errA := got.TensorDigest(info.Name)
		b, errB := want.TensorDigest(info.Name)
		if errA != nil || errB != nil || a != b {
			t.Errorf("%s: got digest %s, %v, want %s, %v", info.Name, a, errA, b, errB)
		}
	}
}

// A damaged source gives no copy that looks sound.
func TestConvertVerifies(t *testing.T) {
	in, err := Open(filepath.Join("testdata", "wrong-crc.pth"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	dir := t.TempDir()
	if err := Convert(in, filepath.Join(dir, "x.safetensors")); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v, want ErrCorrupt", err)
	}
	wantEntries(t, dir)
}

func TestConvertStreams(t *testing.T) {
	const n = 8 << 20
	path := filepath.Join(t.TempDir(), "big.safetensors")
	open := func() (io.Reader, error) { return io.LimitReader(zeros{}, n), nil }
	if err := Write(path, []Tensor{{Name: "x", DType: U8, Shape: []int{n}, Open: open}}, nil); err != nil {
		t.Fatal(err)
	}
	in, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := Convert(in, path); err != nil { // onto itself, which is safe: the copy is renamed when it is whole
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > n/4 {
		t.Errorf("allocated %d bytes to convert %d", used, n)
	}
	out, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := out.Verify(); err != nil {
		t.Error(err)
	}
	short := func() (io.Reader, error) { return io.LimitReader(zeros{}, n-1), nil }
	if err := Write(path, []Tensor{{Name: "x", DType: U8, Shape: []int{n}, Open: short}}, nil); !errors.Is(err, ErrTensor) {
		t.Errorf("a stream that ends early: got %v, want ErrTensor", err)
	}
}

func TestConvertNames(t *testing.T) {
	p := new(pickler).op(opEmptyDict).text(metadataKey).tensor("0", 8, 0, []int64{8}, []int64{1}, false).op(opSetItem, opStop)
	in, err := openBytes(torchArchive(t, p.String(), eightFloats))
	if err != nil {
		t.Fatal(err)
	}
	if err := Convert(in, filepath.Join(t.TempDir(), "x")); !errors.Is(err, ErrFormat) {
		t.Errorf("got %v, want ErrFormat", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
