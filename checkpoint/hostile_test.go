package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"runtime/metrics"
	"strings"
	"testing"
)

// allocated returns the bytes that this process has allocated so far. Unlike runtime.ReadMemStats it does not stop the world, which would be
// most of a fuzzing execution.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// wantModest fails if work allocates more than twice the size of the file and 64 MiB. All that is allocated is more than what is held at any time.
func wantModest(t *testing.T, what string, size int, work func() error) error {
	t.Helper()
	before := allocated()
	err := work()
	if used, limit := allocated()-before, uint64(2*size+64<<20); used > limit {
		t.Fatalf("%s: a file of %d bytes needed %d of memory, want at most %d (error %.200v)", what, size, used, limit, err)
	}
	return err
}

// openHostile opens a file and reads it: whatever it holds, the memory stays modest, an error is one of the two for files, and what opens can be
// read unless a checksum is wrong. It returns nil where the file is refused.
func openHostile(t *testing.T, b []byte) *File {
	t.Helper()
	var f *File
	err := wantModest(t, "opening", len(b), func() (err error) {
		f, err = openBytes(b)
		return err
	})
	if err != nil {
		if n := len(err.Error()); n > 4<<10 {
			t.Fatalf("a message of %d bytes: %.200s...", n, err)
		}
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
			t.Fatalf("got %v, want ErrCorrupt or ErrFormat", err)
		}
		return nil
	}
	tensors := f.Tensors()
	if len(tensors) == 0 && f.checksums {
		t.Fatal("opened without tensors")
	}
	// Thousands of names for one tensor are no error; reading a few of them says as much.
	for _, info := range tensors[:min(len(tensors), 8)] {
		if info.Size > int64(len(b)) {
			t.Fatalf("a file of %d bytes has a tensor of %d", len(b), info.Size)
		}
		err := wantModest(t, "reading", len(b), func() error { return readTensor(f, info) })
		if err != nil && !(f.checksums && errors.Is(err, ErrCorrupt)) {
			t.Fatalf("what was opened cannot be read: %v", err)
		}
	}
	return f
}

// readTensor reads a tensor in three of the ways there are.
func readTensor(f *File, info Info) error {
	s, err := f.Stats(info.Name)
	if err != nil {
		return err
	}
	if s.Count != int64(info.Elems()) {
		return fmt.Errorf("tensor %q: got statistics of %d elements, want %d", info.Name, s.Count, info.Elems())
	}
	r, err := f.Raw(info.Name)
	if err != nil {
		return err
	}
	if n, err := io.Copy(io.Discard, r); err != nil || n != info.Size {
		return fmt.Errorf("tensor %q: got %d bytes and %v, want %d", info.Name, n, err, info.Size)
	}
	if !info.DType.IsFloat() {
		return nil
	}
	return f.Float32s(info.Name, make([]float32, info.Elems()))
}

// Headers that grow in memory stop in time as well.
func TestMemoryOfHostileHeaders(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds, and depends on nothing that varies between builds")
	}
	const n = 15 << 20
	many := func(entry func(i int) string) string {
		var b strings.Builder
		b.WriteString("{")
		for i := 0; b.Len() < n; i++ {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(entry(i))
		}
		b.WriteString("}")
		return b.String()
	}
	none := `{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`
	headers := map[string]string{
		"tensors":    many(func(i int) string { return fmt.Sprintf(`"%x":%s`, i, none) }),
		"metadata":   `{"__metadata__":` + many(func(i int) string { return fmt.Sprintf(`"%x":""`, i) }) + `}`,
		"shape":      `{"a":{"dtype":"U8","shape":[1` + strings.Repeat(",1", n/2) + `],"data_offsets":[0,0]}}`,
		"offsets":    `{"a":{"dtype":"U8","shape":[1],"data_offsets":[0` + strings.Repeat(",1", n/2) + `]}}`,
		"unknown":    `{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":[1` + strings.Repeat(",1", n/2) + `]}}`,
		"deep":       `{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":` + strings.Repeat("[", n),
		"name":       `{"` + strings.Repeat("x", n) + `":` + none + `}`,
		"blanks":     `{` + strings.Repeat(" ", n) + `}`,
		"escapes":    `{"` + strings.Repeat(`\u00e4`, n/6) + `":` + none + `}`,
		"keys":       `{"a":` + many(func(i int) string { return fmt.Sprintf(`"%x":0`, i) }) + `}`,
		"type":       `{"a":{"dtype":"` + strings.Repeat("U", n) + `","shape":[0],"data_offsets":[0,0]}}`,
		"same again": `{` + strings.Repeat(`"a":`+none+`,`, n/60) + `"b":` + none + `}`,
	}
	for name, header := range headers {
		t.Run(name, func(t *testing.T) { openHostile(t, raw(header)) })
	}
}
