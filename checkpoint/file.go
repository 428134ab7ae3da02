package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// File is an opened checkpoint. Its header is in memory, its tensors are not. All methods may be called from several
// goroutines at once, except Close.
type File struct {
	path     string
	r        io.ReaderAt
	size     int64
	closer   io.Closer
	tensors  []Info         // in file order
	index    map[string]int // name to position in tensors
	metadata map[string]string
}

// Open opens the checkpoint at path, whose format is recognised by content, and reads and checks its header. A damaged
// header or a file of the wrong length gives an error that wraps ErrCorrupt, a file of another format ErrFormat.
func Open(path string) (*File, error) {
	osFile, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the checkpoint: %w", err)
	}
	st, err := osFile.Stat()
	if err != nil {
		osFile.Close()
		return nil, fmt.Errorf("opening the checkpoint: %w", err)
	}
	if !st.Mode().IsRegular() {
		osFile.Close()
		return nil, fmt.Errorf("%s: want a checkpoint file, got a %s; name a .safetensors file: %w", path, fileKind(st.Mode()), ErrFormat)
	}
	f, err := New(osFile, st.Size(), path)
	if err != nil {
		osFile.Close()
		return nil, err
	}
	f.closer = osFile
	return f, nil
}

func fileKind(m os.FileMode) string {
	if m.IsDir() {
		return "directory"
	}
	return "device or pipe"
}

// New opens a checkpoint of size bytes that r holds. The path is used in messages only.
func New(r io.ReaderAt, size int64, path string) (*File, error) {
	if err := foreignFormat(r, path); err != nil {
		return nil, err
	}
	f := &File{path: path, r: r, size: size}
	if err := f.readSafetensors(); err != nil {
		return nil, err
	}
	f.index = make(map[string]int, len(f.tensors))
	for i, t := range f.tensors {
		f.index[t.Name] = i
	}
	return f, nil
}

// foreignFormat names the formats that users have at hand, because "corrupt" would be the wrong thing to say of them.
func foreignFormat(r io.ReaderAt, path string) error {
	var magic [8]byte
	n, err := r.ReadAt(magic[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: reading the checkpoint: %w", path, err)
	}
	known := []struct{ prefix, format string }{
		{"PK\x03\x04", "a zip archive (PyTorch .pt or .pth?)"},
		{"\x80\x02", "a Python pickle (PyTorch .pth or .th?)"},
		{"\x80\x04", "a Python pickle"},
		{"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras?)"},
		{"\x93NUMPY", "a NumPy array"},
		{"GGUF", "a GGUF file"},
		{"\x1f\x8b", "a gzip file"},
	}
	for _, k := range known {
		// A safetensors file starts with the length of its header, so its third to eighth byte being zero or small
		// excludes all prefixes but the two-byte ones; those need the length's upper bytes to be impossible.
		if !strings.HasPrefix(string(magic[:n]), k.prefix) || n == 8 && le.Uint64(magic[:]) <= maxHeader {
			continue
		}
		return fmt.Errorf("%s: want a safetensors file, got %s; convert it with Python's safetensors package: %w", path, k.format, ErrFormat)
	}
	return nil
}

// Path returns the name under which the file was opened.
func (f *File) Path() string { return f.path }

// Size returns the bytes of the file.
func (f *File) Size() int64 { return f.size }

// Tensors returns a description of every tensor, in the order of the file.
func (f *File) Tensors() []Info { return slices.Clone(f.tensors) }

// Metadata returns the file's free-form key-value pairs; empty if there are none.
func (f *File) Metadata() map[string]string {
	if f.metadata == nil {
		return map[string]string{}
	}
	return maps.Clone(f.metadata)
}

// Close releases the file.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// Info returns the description of one tensor, or an error that wraps ErrNoTensor.
func (f *File) Info(name string) (Info, error) {
	i, ok := f.index[name]
	if !ok {
		return Info{}, fmt.Errorf("%s: want a tensor %q, got %d others; `cnnctl inspect` lists them: %w", f.path, name, len(f.tensors), ErrNoTensor)
	}
	return f.tensors[i], nil
}

// Float32s reads the tensor into dst, which has as many elements as the tensor, row-major. F64 is rounded to nearest;
// F16, BF16 and F32 are exact. Integers are refused with ErrFormat: taken for weights they would be quantised ones,
// which mean nothing without their scales.
func (f *File) Float32s(name string, dst []float32) error {
	t, err := f.Info(name)
	if err != nil {
		return err
	}
	if !t.DType.IsFloat() {
		return fmt.Errorf("%s: tensor %q: want floating-point elements, got %s; convert the file to F32: %w", f.path, name, t.DType, ErrFormat)
	}
	if err := f.fits(t, len(dst)); err != nil {
		return err
	}
	return f.stream(t, func(b []byte) error {
		n := len(b) / t.DType.Size()
		t.DType.float32s(dst[:n], b)
		dst = dst[n:]
		return nil
	})
}

// Int64s reads a tensor of integers or booleans into dst. U64 elements above the range of int64 wrap.
func (f *File) Int64s(name string, dst []int64) error {
	t, err := f.Info(name)
	if err != nil {
		return err
	}
	if t.DType.IsFloat() {
		return fmt.Errorf("%s: tensor %q: want integer elements, got %s: %w", f.path, name, t.DType, ErrFormat)
	}
	if err := f.fits(t, len(dst)); err != nil {
		return err
	}
	return f.stream(t, func(b []byte) error {
		n := len(b) / t.DType.Size()
		t.DType.int64s(dst[:n], b)
		dst = dst[n:]
		return nil
	})
}

// Raw returns a reader of the tensor's bytes as they are stored.
func (f *File) Raw(name string) (io.Reader, error) {
	t, err := f.Info(name)
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(f.r, t.offset, t.Size), nil
}

func (f *File) fits(t Info, n int) error {
	if n != t.Elems() {
		return fmt.Errorf("%s: tensor %q of shape %v: want room for %d elements, got %d: %w", f.path, t.Name, t.Shape, t.Elems(), n, ErrTensor)
	}
	return nil
}

// chunkBytes bounds the memory of reading and writing: a multiple of every element size, large enough that the cost of
// the system call vanishes, small enough to stay in a core's second-level cache.
const chunkBytes = 256 << 10

// stream calls fn with the tensor's bytes in order, in whole elements. The slice is reused.
func (f *File) stream(t Info, fn func(b []byte) error) error {
	buf := make([]byte, min(chunkBytes, t.Size))
	for done := int64(0); done < t.Size; done += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), t.Size-done)]
		// A ReaderAt may report the end together with the last bytes.
		if n, err := f.r.ReadAt(buf, t.offset+done); n < len(buf) {
			if errors.Is(err, io.EOF) { // the length was checked on opening, so the file has shrunk since
				return corruptf(f.path, "tensor %q: want bytes %d to %d, got the end of the file", t.Name, t.offset, t.offset+t.Size)
			}
			return fmt.Errorf("%s: reading tensor %q: %w", f.path, t.Name, err)
		}
		if err := fn(buf); err != nil {
			return err
		}
	}
	return nil
}
