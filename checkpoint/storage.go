package checkpoint

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"sync"
)

// A storage is a flat array that one or more tensors view. The pickle names it, and the container says where it lies.
type storage struct {
	key       string
	dtype     DType // empty for untyped bytes
	numel     int64 // elements, or bytes where untyped
	offset    int64 // of the first byte, from the start of the file
	bigEndian bool

	crc    uint32 // of its bytes, if hasCRC
	hasCRC bool
	once   sync.Once
	err    error // of the one comparison with crc
}

func (s *storage) elemSize() int64 { return max(1, int64(s.dtype.Size())) }

func (s *storage) bytes() int64 { return s.numel * s.elemSize() }

// verify compares the checksum on first use, so that opening a file does not read it whole.
func (s *storage) verify(r io.ReaderAt) error {
	if s == nil || !s.hasCRC {
		return nil
	}
	s.once.Do(func() { s.err = checkCRC(r, s.offset, s.bytes(), s.crc) })
	return s.err
}

// checkCRC compares the CRC-32 of a range of the file. The error does not name the file.
func checkCRC(r io.ReaderAt, off, size int64, want uint32) error {
	h := crc32.NewIEEE()
	n, err := io.CopyBuffer(onlyWriter{h}, io.NewSectionReader(r, off, size), make([]byte, min(chunkBytes, size+1)))
	switch {
	case err != nil:
		return &readError{err}
	case n < size:
		return fmt.Errorf("want %d bytes at %d, got %d: it is truncated", size, off, n)
	case h.Sum32() != want:
		return fmt.Errorf("want CRC-32 %08x, got %08x: it was damaged, or written with PyTorch's checksums switched off", want, h.Sum32())
	}
	return nil
}

// onlyWriter hides other methods, so that io.CopyBuffer uses its buffer.
type onlyWriter struct{ io.Writer }

// storages collects the storages that a pickle names, by key.
type storages map[string]*storage

// add returns the storage for a persistent identifier's type, key and length.
func (all storages) add(class, key, numel any) (*storage, error) {
	t, isType := class.(storageType)
	k, isKey := key.(string)
	n, isCount := numel.(int64)
	switch {
	case !isType || !isKey || !isCount:
		return nil, fmt.Errorf("want a storage's type, key and length, got %s, %s and %s", aKind(class), aKind(key), aKind(numel))
	case n < 0 || n > math.MaxInt64/8:
		return nil, fmt.Errorf("storage %q: want a length from 0, got %d", k, n)
	}
	s, ok := all[k]
	if !ok {
		s = &storage{key: k, dtype: t.dtype, numel: n}
		all[k] = s
	}
	if s.dtype != t.dtype || s.numel != n {
		return nil, fmt.Errorf("storage %q: want it as it was named first, %d of %q, got %d of %q", k, s.numel, s.dtype, n, t.dtype)
	}
	return s, nil
}

// A storageValue is a storage, or a part of one, as it stands in a pickle.
type storageValue struct {
	*storage
	first, count int64 // elements
}

func whole(s *storage) *storageValue { return &storageValue{s, 0, s.numel} }

// part returns elements first to first+count of the storage.
func (s *storage) part(first, count any) (*storageValue, error) {
	a, ok := first.(int64)
	n, isToo := count.(int64)
	if !ok || !isToo || a < 0 || n < 0 || a > s.numel || n > s.numel-a {
		return nil, fmt.Errorf("storage %q: want a view within its %d elements, got %v from %v", s.key, s.numel, count, first)
	}
	return &storageValue{s, a, n}, nil
}

// A tensorValue is a tensor as it stands in a pickle: a view that lies within its storage.
type tensorValue struct {
	storage *storage
	dtype   DType
	first   int64 // bytes from the start of the storage to the first element
	size    int64 // bytes of all elements
	view    view
}

// newTensorValue takes the arguments of _rebuild_tensor: storage, offset, size and strides, the last three in elements.
// The type is the storage's unless dtype says another.
func newTensorValue(args []any, dtype DType) (*tensorValue, error) {
	s, ok := args[0].(*storageValue)
	if !ok {
		return nil, fmt.Errorf("want the storage of a tensor, got %s", aKind(args[0]))
	}
	if dtype == "" {
		dtype = s.dtype
	} else if s.dtype != "" && s.dtype != dtype {
		return nil, fmt.Errorf("want a tensor of %s from a storage of the same, got %s", s.dtype, dtype)
	}
	if dtype == "" {
		return nil, errors.New("want a tensor with a type, got one of an untyped storage")
	}
	elem := int64(dtype.Size())
	offset, isOffset := args[1].(int64)
	shape, shapeOK := integersOf(args[2])
	strides, stridesOK := integersOf(args[3])
	if !isOffset || !shapeOK || !stridesOK {
		return nil, fmt.Errorf("want a tensor's offset, size and strides, got %s, %s and %s", aKind(args[1]), aKind(args[2]), aKind(args[3]))
	}
	room := s.count * s.elemSize() / elem
	if offset < 0 || offset > room {
		return nil, fmt.Errorf("want a tensor within the %d elements of storage %q, got one from %d", room, s.key, offset)
	}
	v, n, err := newView(shape, strides, room-offset)
	if err != nil {
		return nil, fmt.Errorf("tensor of storage %q: %w", s.key, err)
	}
	if n > math.MaxInt64/elem {
		return nil, fmt.Errorf("tensor of storage %q: the size of shape %v overflows", s.key, shape)
	}
	return &tensorValue{storage: s.storage, dtype: dtype, first: s.first*s.elemSize() + offset*elem, size: n * elem, view: v}, nil
}

// integersOf returns the elements of a tuple or list of integers.
func integersOf(v any) ([]int64, bool) {
	var items []any
	switch v := v.(type) {
	case *tuple:
		items = v.items
	case *list:
		items = v.items
	default:
		return nil, false
	}
	ints := make([]int64, len(items))
	for i, item := range items {
		n, ok := item.(int64)
		if !ok {
			return nil, false
		}
		ints[i] = n
	}
	return ints, true
}
