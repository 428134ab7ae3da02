package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// An expectation is what PyTorch reads from a file, or why it is refused; scripts/pth-fixtures.py writes them.
type expectation struct {
	Refused string `json:"refused"`
	Key     string `json:"key"`
	Tensors []expectedTensor
}

type expectedTensor struct {
	name   string
	dtype  DType
	shape  []int
	digest string  // SHA-256 of the elements
	sum    float64 // to nine digits
}

func (e *expectedTensor) UnmarshalJSON(b []byte) error {
	var sum string
	if err := json.Unmarshal(b, &[]any{&e.name, &e.dtype, &e.shape, &e.digest, &sum}); err != nil {
		return err
	}
	var err error
	e.sum, err = strconv.ParseFloat(sum, 64)
	return err
}

func expectations(t testing.TB) map[string]expectation {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]expectation
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// The small files of testdata, each made for one feature or one refusal.
func TestTorchFiles(t *testing.T) {
	all := expectations(t)
	files, err := filepath.Glob(filepath.Join("testdata", "*.pth"))
	if err != nil || len(files) < 25 {
		t.Fatalf("got %d files, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			e, ok := all[filepath.Base(path)]
			if !ok {
				t.Fatal("expected.json lacks the file; run scripts/pth-fixtures.py")
			}
			checkTorchFile(t, path, e)
		})
	}
}

// Every PyTorch file of the real data loads with the numbers that PyTorch reads, or is refused with its reason.
func TestRealTorchFiles(t *testing.T) {
	data := sharedData(t)
	all := expectations(t)
	count := 0
	for _, pattern := range []string{"pth/*", "weights/*.th"} {
		files, err := filepath.Glob(filepath.Join(data, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if filepath.Ext(path) == ".safetensors" {
				continue
			}
			count++
			name := filepath.ToSlash(strings.TrimPrefix(path, data+string(filepath.Separator)))
			t.Run(name, func(t *testing.T) {
				e, ok := all[name]
				if !ok {
					t.Fatal("expected.json lacks the file; run scripts/pth-fixtures.py")
				}
				checkTorchFile(t, path, e)
			})
		}
	}
	if count < 75 {
		t.Errorf("got %d files, want at least 75", count)
	}
}

func checkTorchFile(t *testing.T, path string, e expectation) {
	f, err := Open(path)
	if err == nil {
		defer f.Close()
		err = readAll(f)
	}
	if e.Refused != "" {
		if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("got %v, want ErrFormat or ErrCorrupt", err)
		}
		for _, part := range []string{path, e.Refused} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("message %q lacks %q", err, part)
			}
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Metadata()[MetaKey]; got != e.Key {
		t.Errorf("took the dictionary %q, want %q", got, e.Key)
	}
	if len(f.Tensors()) != len(e.Tensors) {
		t.Fatalf("got %d tensors, want %d", len(f.Tensors()), len(e.Tensors))
	}
	for i, info := range f.Tensors() {
		want := e.Tensors[i]
		if info.Name != want.name || info.DType != want.dtype || !slices.Equal(info.Shape, want.shape) {
			t.Errorf("tensor %d: got %s %s %v, want %s %s %v", i, info.Name, info.DType, info.Shape, want.name, want.dtype, want.shape)
			continue
		}
		r, err := f.Raw(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		if n, err := io.Copy(h, r); err != nil || n != info.Size {
			t.Errorf("%s: read %d bytes, %v, want %d", info.Name, n, err, info.Size)
		}
		if got := hex.EncodeToString(h.Sum(nil))[:digestHex]; got != want.digest {
			t.Errorf("%s: got digest %s, want %s", info.Name, got, want.digest)
		}
		tolerance := 1e-8
		if info.DType == F64 {
			tolerance = 1e-7 // Float32s rounds
		}
		if sum := sumOf(t, f, info); !(math.Abs(sum-want.sum) <= tolerance*math.Abs(want.sum)) && sum != want.sum && !(math.IsNaN(sum) && math.IsNaN(want.sum)) {
			t.Errorf("%s: got the sum %.9g, want %.9g", info.Name, sum, want.sum)
		}
	}
	if err := f.Verify(); f.Metadata()[MetaContainer] == "zip" && err != nil || f.Metadata()[MetaContainer] != "zip" && !errors.Is(err, ErrNoDigests) {
		t.Errorf("Verify: got %v", err)
	}
}

// readAll reads every tensor in each of the ways there are.
func readAll(f *File) error {
	for _, info := range f.Tensors() {
		s, err := f.Stats(info.Name)
		if err != nil {
			return err
		}
		if s.Count != int64(info.Elems()) {
			return fmt.Errorf("tensor %q: got statistics of %d elements, want %d", info.Name, s.Count, info.Elems())
		}
		if info.DType.IsFloat() {
			err = f.Float32s(info.Name, make([]float32, info.Elems()))
		} else {
			err = f.Int64s(info.Name, make([]int64, info.Elems()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sumOf adds the elements up as the typed readers return them. PyTorch adds doubles, which loses nothing here either.
func sumOf(t *testing.T, f *File, info Info) float64 {
	t.Helper()
	sum := 0.0
	if !info.DType.IsFloat() {
		x := make([]int64, info.Elems())
		if err := f.Int64s(info.Name, x); err != nil {
			t.Fatal(err)
		}
		for _, v := range x {
			sum += float64(v)
		}
		return sum
	}
	x := make([]float32, info.Elems())
	if err := f.Float32s(info.Name, x); err != nil {
		t.Fatal(err)
	}
	for _, v := range x {
		sum += float64(v)
	}
	return sum
}

func TestOpenKey(t *testing.T) {
	path := filepath.Join("testdata", "nested.pth")
	automatic, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer automatic.Close()
	want := `epoch=7, arch (str), state_dict (dict of 1), best=0.5, lr (list), optimizer (dict of 1), shape (tuple), device (torch.device), dtype (type)`
	if got := automatic.Metadata()[MetaSkipped]; got != want {
		t.Errorf("skipped %q, want %q", got, want)
	}
	cases := []struct {
		key, tensor string
		err         error
		about       string
	}{
		{key: "state_dict", tensor: "w"},
		{key: "optimizer", tensor: "state.0.exp_avg"},
		{key: "optimizer/state", tensor: "0.exp_avg"},
		{key: "absent", err: ErrNoTensor, about: `"state_dict"`},
		{key: "optimizer/absent", err: ErrNoTensor, about: `"optimizer/absent"`},
		{key: "epoch/1", err: ErrNoTensor, about: "got an int"},
		{key: "epoch", err: ErrFormat, about: "without any"},
	}
	for _, c := range cases {
		f, err := OpenKey(path, c.key)
		if c.err != nil {
			if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.about) {
				t.Errorf("%s: got %v, want %v with %q", c.key, err, c.err, c.about)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.key, err)
			continue
		}
		if f.Tensors()[0].Name != c.tensor || f.Metadata()[MetaKey] != c.key {
			t.Errorf("%s: got %q under %q", c.key, f.Tensors()[0].Name, f.Metadata()[MetaKey])
		}
		f.Close()
	}
	st := filepath.Join(t.TempDir(), "x.safetensors")
	if err := Write(st, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKey(st, "state_dict"); !errors.Is(err, ErrNoTensor) {
		t.Errorf("safetensors: got %v, want ErrNoTensor", err)
	}
}

func TestStrippedPrefixes(t *testing.T) {
	for file, want := range map[string]string{"module-prefix.pth": "module.", "compiled.pth": "_orig_mod.module.", "partly-prefixed.pth": ""} {
		f, err := Open(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Metadata()[MetaStripped]; got != want {
			t.Errorf("%s: stripped %q, want %q", file, got, want)
		}
		f.Close()
	}
}
