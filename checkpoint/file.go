package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
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

	checksums bool  // the container has one for every tensor
	stored    *File // with the names of the file, if the tensors were renamed
}

// Open opens the checkpoint at path, whose format is recognised by content, and reads and checks its header. A damaged
// header or a file of the wrong length gives an error that wraps ErrCorrupt, a file of another format, or with contents
// that are not read, ErrFormat.
//
// Of a PyTorch file that holds more than one dictionary of tensors, it takes the model's: see [MetaKey].
func Open(path string) (*File, error) { return OpenKey(path, "") }

// OpenKey is Open for the dictionary under key in a PyTorch file, such as "state_dict"; slashes separate the keys of
// nested dictionaries. A key that is not there gives an error that wraps ErrNoTensor. An empty key leaves the choice to Open.
func OpenKey(path, key string) (*File, error) {
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
		return nil, fmt.Errorf("%s: want a checkpoint file, got a %s; name a .safetensors or .pth file: %w", path, fileKind(st.Mode()), ErrFormat)
	}
	f, err := newFile(osFile, st.Size(), path, key)
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
func New(r io.ReaderAt, size int64, path string) (*File, error) { return newFile(r, size, path, "") }

func newFile(r io.ReaderAt, size int64, path, key string) (*File, error) {
	f := &File{path: path, r: r, size: size}
	read, err := recognise(r)
	if err == nil {
		err = read(f, key)
	}
	if err != nil {
		return nil, f.explain(err)
	}
	f.index = make(map[string]int, len(f.tensors))
	for i, t := range f.tensors {
		if _, ok := f.index[t.Name]; ok {
			return nil, corruptf(path, "want one tensor %q, got two", t.Name)
		}
		f.index[t.Name] = i
	}
	return f, nil
}

// explain adds the path to an error of reading a header. What is neither a refusal nor a failure of the disk means damage.
func (f *File) explain(err error) error {
	var disk *readError
	if errors.As(err, &disk) || errors.Is(err, ErrFormat) || errors.Is(err, ErrNoTensor) {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	return corruptf(f.path, "%v", err)
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
	if err := f.wantFloats(t); err != nil {
		return err
	}
	if err := f.fits(t, len(dst)); err != nil {
		return err
	}
	if t.view != nil {
		if err := f.verifyStorage(t); err != nil {
			return err
		}
		return f.scatter(t, func(i int64, elem []byte) { t.DType.float32s(dst[i:i+1], elem) })
	}
	return f.stream(t, func(b []byte) error {
		n := len(b) / t.DType.Size()
		t.DType.float32s(dst[:n], b)
		dst = dst[n:]
		return nil
	})
}

// Float32Blocks calls fn with the tensor's elements, as Float32s reads them, block by block in row-major order; first is the position of a
// block's first element. The slice is reused. Where the elements are not row-major in the file, the tensor is in memory as a whole.
func (f *File) Float32Blocks(name string, block int, fn func(first int, part []float32) error) error {
	t, err := f.Info(name)
	if err != nil {
		return err
	}
	if err := f.wantFloats(t); err != nil {
		return err
	}
	n := t.Elems()
	block = max(1, min(n, block))
	if t.view != nil {
		whole := make([]float32, n)
		if err := f.Float32s(name, whole); err != nil {
			return err
		}
		for first := 0; first < n; first += block {
			if err := fn(first, whole[first:min(n, first+block)]); err != nil {
				return err
			}
		}
		return nil
	}
	part := make([]float32, block)
	first, filled := 0, 0
	return f.stream(t, func(b []byte) error {
		for size := t.DType.Size(); len(b) > 0; {
			k := min(len(part)-filled, len(b)/size)
			t.DType.float32s(part[filled:filled+k], b)
			b = b[k*size:]
			if filled += k; filled < len(part) && first+filled < n {
				continue
			}
			if err := fn(first, part[:filled]); err != nil {
				return err
			}
			first, filled = first+filled, 0
		}
		return nil
	})
}

func (f *File) wantFloats(t Info) error {
	if !t.DType.IsFloat() {
		return fmt.Errorf("%s: tensor %q: want floating-point elements, got %s; convert the file to F32: %w", f.path, t.Name, t.DType, ErrFormat)
	}
	return nil
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

// Raw returns a reader of the tensor's elements as they are stored, row-major and little-endian. Tensors of a PyTorch file
// that lie otherwise are read into memory for it.
func (f *File) Raw(name string) (io.Reader, error) {
	t, err := f.Info(name)
	if err != nil {
		return nil, err
	}
	if err := f.verifyStorage(t); err != nil {
		return nil, err
	}
	if t.view == nil && (t.storage == nil || !t.storage.bigEndian) {
		return io.NewSectionReader(f.r, t.offset, t.Size), nil
	}
	b, err := f.gather(t)
	if err != nil {
		return nil, err
	}
	return bytes.NewReader(b), nil
}

// verifyStorage compares the checksum that the file has for a tensor's bytes, once.
func (f *File) verifyStorage(t Info) error {
	err := t.storage.verify(f.r)
	var disk *readError
	if err == nil {
		return nil
	}
	if errors.As(err, &disk) {
		return fmt.Errorf("%s: tensor %q: %w", f.path, t.Name, err)
	}
	return corruptf(f.path, "tensor %q, record data/%s: %v", t.Name, t.storage.key, err)
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

// stream calls fn with the tensor's bytes, row-major and little-endian, in whole elements. The slice is reused.
func (f *File) stream(t Info, fn func(b []byte) error) error {
	if err := f.verifyStorage(t); err != nil {
		return err
	}
	if t.view != nil {
		b, err := f.gather(t)
		if err != nil {
			return err
		}
		for chunk := range slices.Chunk(b, chunkBytes) {
			if err := fn(chunk); err != nil {
				return err
			}
		}
		return nil
	}
	buf := make([]byte, min(chunkBytes, t.Size))
	for done := int64(0); done < t.Size; done += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), t.Size-done)]
		if err := f.readFull(t, buf, t.offset+done); err != nil {
			return err
		}
		if err := fn(buf); err != nil {
			return err
		}
	}
	return nil
}
