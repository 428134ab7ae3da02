package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

// Tensor is a tensor to be written. Exactly one of Data, Fill, Raw and Open gives its elements.
type Tensor struct {
	Name  string
	Shape []int // empty for a scalar
	DType DType // of Raw and Open; empty means F32, which Data and Fill require

	Data []float32 // row-major
	// Fill writes all elements into dst, which has the tensor's length and unspecified contents. The memory is reused
	// for the next tensor, so that a model on a device is saved through one buffer of its largest tensor's size.
	Fill func(dst []float32) error
	Raw  []byte // elements as they are stored, little-endian
	// Open returns the same as a stream, for tensors of any size. It is called when the tensor's turn has come.
	Open func() (io.Reader, error)
}

// Write replaces the file at path with a safetensors file of the tensors and the metadata, atomically: after any error,
// and after a crash at any moment, path holds what it held before. A digest of every tensor is added to the metadata,
// see [File.Verify]. The same input gives the same bytes, and those are what Python's safetensors writes, apart from
// the metadata's order.
//
// A tensor that contradicts itself gives an error that wraps ErrTensor before anything is written; errors from the disk
// are those of [AtomicWrite].
func Write(path string, tensors []Tensor, metadata map[string]string) error {
	e, err := newEncoder(tensors, metadata)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return atomicFile(path, func(f *os.File) error { return e.encode(f) })
}

// An encoder holds what is known before the first byte is written.
type encoder struct {
	tensors  []Tensor // in file order, with DType set
	sizes    []int64  // bytes of each
	metadata map[string]string
	digests  map[string]string
}

func newEncoder(tensors []Tensor, metadata map[string]string) (*encoder, error) {
	e := &encoder{
		tensors:  slices.Clone(tensors),
		metadata: maps.Clone(metadata),
		digests:  make(map[string]string, len(tensors)+1),
	}
	if e.metadata == nil {
		e.metadata = make(map[string]string)
	}
	for key, value := range e.metadata {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return nil, fmt.Errorf("metadata %q: want UTF-8, got other bytes: %w", key, ErrTensor)
		}
	}
	if keys := 4*len(tensors) + len(e.metadata) + 1; keys > maxKeys {
		return nil, fmt.Errorf("want at most %d tensors, got %d: %w", maxKeys/4, len(tensors), ErrTensor)
	}
	for i := range e.tensors {
		if e.tensors[i].DType == "" {
			e.tensors[i].DType = F32
		}
	}
	// The format's own order: wide elements first, which aligns every tensor to its element size, then by name.
	slices.SortFunc(e.tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(b.DType.Size(), a.DType.Size()), strings.Compare(string(a.DType), string(b.DType)), strings.Compare(a.Name, b.Name))
	})
	// Placeholders as long as the digests: the header is written before the tensors are hashed, and again afterwards.
	blank := strings.Repeat("0", digestHex)
	e.digests[metadataKey] = blank
	for _, t := range e.tensors {
		size, err := t.check()
		if err != nil {
			return nil, err
		}
		if e.digests[t.Name] != "" {
			return nil, fmt.Errorf("tensor %q: want names once, got it twice: %w", t.Name, ErrTensor)
		}
		e.digests[t.Name] = blank
		e.sizes = append(e.sizes, size)
	}
	return e, nil
}

// check returns the tensor's size in bytes.
func (t *Tensor) check() (int64, error) {
	sources, have := 0, int64(0) // bytes that the sources hold; Fill and Open are taken at their word
	if t.Data != nil {
		sources, have = sources+1, 4*int64(len(t.Data))
	}
	if t.Raw != nil {
		sources, have = sources+1, int64(len(t.Raw))
	}
	if t.Fill != nil {
		sources++
	}
	if t.Open != nil {
		sources++
	}
	shape := make([]int64, len(t.Shape))
	for i, d := range t.Shape {
		if d < 0 {
			return 0, fmt.Errorf("tensor %q: want dimensions of at least 0, got shape %v: %w", t.Name, t.Shape, ErrTensor)
		}
		shape[i] = int64(d)
	}
	size, err := byteSize(t.DType, shape)
	if t.Fill != nil || t.Open != nil {
		have = size
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("tensor %q: %w: %w", t.Name, err, ErrTensor)
	case t.Name == metadataKey || !utf8.ValidString(t.Name):
		return 0, fmt.Errorf("tensor %q: want a name in UTF-8 other than %s: %w", t.Name, metadataKey, ErrTensor)
	case t.DType.Size() == 0:
		return 0, fmt.Errorf("tensor %q: want a type of the safetensors format, got %q: %w", t.Name, t.DType, ErrTensor)
	case sources > 1 || sources == 0 && size > 0:
		return 0, fmt.Errorf("tensor %q: want one of Data, Fill, Raw and Open, got %d: %w", t.Name, sources, ErrTensor)
	case t.Raw == nil && t.Open == nil && t.DType != F32:
		return 0, fmt.Errorf("tensor %q: want Raw or Open for %s, got float32 elements: %w", t.Name, t.DType, ErrTensor)
	case have != size:
		return 0, fmt.Errorf("tensor %q: want %d bytes for %s %v, got %d: %w", t.Name, size, t.DType, t.Shape, have, ErrTensor)
	}
	return size, nil
}

// header returns the length word and the JSON, padded to a multiple of 8 bytes so that the data is aligned.
func (e *encoder) header() ([]byte, error) {
	digests, err := json.Marshal(e.digests) // sorts the keys
	if err != nil {
		return nil, err
	}
	e.metadata[DigestsKey] = string(digests)

	var b bytes.Buffer
	b.Write(make([]byte, 8))
	js := json.NewEncoder(&b)
	js.SetEscapeHTML(false)
	put := func(v any) error {
		err := js.Encode(v)
		b.Truncate(max(b.Len()-1, 0)) // Encode ends with a newline
		return err
	}
	b.WriteString(`{"` + metadataKey + `":`)
	if err := put(e.metadata); err != nil {
		return nil, err
	}
	begin := int64(0)
	for i, t := range e.tensors {
		b.WriteByte(',')
		if err := put(t.Name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		entry := struct {
			DType   DType    `json:"dtype"`
			Shape   []int    `json:"shape"`
			Offsets [2]int64 `json:"data_offsets"`
		}{t.DType, append([]int{}, t.Shape...), [2]int64{begin, begin + e.sizes[i]}} // never a null shape
		if err := put(entry); err != nil {
			return nil, err
		}
		begin += e.sizes[i]
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if n := b.Len() - 8; n > maxHeader {
		return nil, fmt.Errorf("want names and metadata of at most %d bytes, got %d: %w", maxHeader, n, ErrTensor)
	}
	le.PutUint64(b.Bytes(), uint64(b.Len()-8))
	return b.Bytes(), nil
}

// encode writes the file in one pass over the tensors and puts the digests into the header at the end.
func (e *encoder) encode(f *os.File) error {
	header, err := e.header()
	if err != nil {
		return err
	}
	if _, err := f.Write(header); err != nil {
		return err
	}
	chunk := make([]byte, 0, chunkBytes)
	var fill []float32
	for i, t := range e.tensors {
		data := t.Data
		if t.Fill != nil {
			n := int(e.sizes[i] / 4)
			fill = slices.Grow(fill[:0], n)[:n]
			if err := t.Fill(fill); err != nil {
				return fmt.Errorf("tensor %q: %w", t.Name, err)
			}
			data = fill
		}
		h := digester(t.DType, t.Shape)
		w := io.MultiWriter(h, f)
		if t.Raw != nil {
			if _, err := w.Write(t.Raw); err != nil {
				return err
			}
		}
		if t.Open != nil {
			if err := copyTensor(w, t, e.sizes[i]); err != nil {
				return err
			}
		}
		for part := range slices.Chunk(data, chunkBytes/4) {
			chunk = chunk[:0]
			for _, v := range part {
				chunk = le.AppendUint32(chunk, math.Float32bits(v))
			}
			if _, err := w.Write(chunk); err != nil {
				return err
			}
		}
		e.digests[t.Name] = digestString(h)
	}
	e.digests[metadataKey] = metadataDigest(e.metadata)
	final, err := e.header()
	if err != nil {
		return err
	}
	_, err = f.WriteAt(final, 0)
	return err
}

// copyTensor writes the size bytes of a tensor that is streamed.
func copyTensor(w io.Writer, t Tensor, size int64) error {
	r, err := t.Open()
	if err != nil {
		return err
	}
	n, err := io.CopyBuffer(w, io.LimitReader(r, size), make([]byte, min(chunkBytes, size+1)))
	if err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	if n < size {
		return fmt.Errorf("tensor %q: want %d bytes from Open, got %d: %w", t.Name, size, n, ErrTensor)
	}
	return nil
}
