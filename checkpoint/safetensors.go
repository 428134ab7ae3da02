package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// A safetensors file (README of huggingface/safetensors, section "Format") is
//
//	8 bytes   length n of the header, little-endian
//	n bytes   JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ...}
//	the rest  the tensors, row-major, little-endian; offsets count from here, without holes or overlap
//
// where the key "__metadata__" may hold a map of strings to strings, and n is padded with blanks.

// A header turns into several times as much memory, so that the size of the file alone is no bound. The format's own implementation takes
// headers of up to 100 MB; those of the largest networks have a few MB.
const (
	maxHeader     = 16 << 20
	maxKeys       = 1 << 17 // in all objects together: four for a tensor
	maxDimensions = 64
)

// metadataKey is the header's entry that is no tensor.
const metadataKey = "__metadata__"

// readSafetensors reads the header and fills f.tensors and f.metadata. Memory is bounded by the file's real size: the
// length is compared with it before anything is allocated. Errors are those that File.explain expects.
func (f *File) readSafetensors() error {
	if f.size < 8 {
		return fmt.Errorf("want the 8-byte length of a header, got a file of %d bytes", f.size)
	}
	var length [8]byte
	if err := f.readHeaderBytes(length[:], 0); err != nil {
		return err
	}
	n := le.Uint64(length[:])
	if n > maxHeader {
		return fmt.Errorf("want a header of at most %d bytes, got a length of %d: this is no safetensors file or its start is damaged", maxHeader, n)
	}
	if int64(n) > f.size-8 {
		return fmt.Errorf("want a header of %d bytes, got a file of %d: it is truncated", n, f.size)
	}
	header := make([]byte, n)
	if err := f.readHeaderBytes(header, 8); err != nil {
		return err
	}
	if !utf8.Valid(header) { // encoding/json would replace the bad bytes and go on
		return fmt.Errorf("want a header in UTF-8, got other bytes")
	}
	if n == 0 || header[0] != '{' {
		return fmt.Errorf("want a header that starts with {, got %.8q", header)
	}
	p := headerParser{dec: json.NewDecoder(bytes.NewReader(header))}
	p.dec.UseNumber()
	if err := p.parse(); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	f.tensors, f.metadata = p.tensors, p.metadata
	return f.placeTensors(8 + int64(n))
}

func (f *File) readHeaderBytes(b []byte, off int64) error {
	if n, err := f.r.ReadAt(b, off); n < len(b) {
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("header: want %d bytes at %d, got %d", len(b), off, n)
		}
		return &readError{err}
	}
	return nil
}

// placeTensors sorts the tensors by offset, checks that they fill the data section exactly, and makes offsets absolute.
func (f *File) placeTensors(dataStart int64) error {
	slices.SortStableFunc(f.tensors, func(a, b Info) int {
		// An empty tensor shares its offset with its successor and must come first.
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.Size, b.Size))
	})
	end := int64(0)
	for i := range f.tensors {
		t := &f.tensors[i]
		if t.offset != end {
			what := "a hole"
			if t.offset < end {
				what = "an overlap"
			}
			return fmt.Errorf("tensor %s: want its data at offset %d, got %d: there is %s in the data", brief(t.Name), end, t.offset, what)
		}
		if t.Size > math.MaxInt64-dataStart-end {
			return fmt.Errorf("tensor %s: its end overflows", brief(t.Name))
		}
		end += t.Size
		t.offset += dataStart
	}
	if want := dataStart + end; want > f.size {
		return fmt.Errorf("want %d bytes, got %d: the file is truncated", want, f.size)
	} else if want < f.size {
		return fmt.Errorf("want %d bytes, got %d: there are bytes after the last tensor", want, f.size)
	}
	return nil
}

// headerParser reads the JSON by token, because encoding/json's maps would hide duplicate keys.
type headerParser struct {
	dec      *json.Decoder
	keys     int // so far
	tensors  []Info
	metadata map[string]string
}

func (p *headerParser) parse() error {
	err := p.object(func(key string) error {
		if key == metadataKey {
			return p.parseMetadata()
		}
		return p.parseTensor(key)
	})
	if err != nil {
		return err
	}
	if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("want nothing but blanks after the JSON object, got more")
	}
	return nil
}

// object reads an object and calls value for each key, in order; value must consume the value.
func (p *headerParser) object(value func(key string) error) error {
	if err := p.delim('{'); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for p.dec.More() {
		tok, err := p.dec.Token()
		if err != nil {
			return jsonError(err)
		}
		key, ok := tok.(string)
		if !ok {
			return fmt.Errorf("want a key, got %s", brief(fmt.Sprint(tok)))
		}
		if seen[key] {
			return fmt.Errorf("want one entry %s, got two", brief(key))
		}
		if p.keys++; p.keys > maxKeys {
			return fmt.Errorf("it has more than %d keys, which is beyond any network's: %w", maxKeys, ErrFormat)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return fmt.Errorf("%s: %w", brief(key), err)
		}
	}
	return p.delim('}')
}

// brief quotes what may be of any length.
func brief(s string) string {
	const longest = 200
	if len(s) > longest {
		return fmt.Sprintf("%q...", s[:longest])
	}
	return strconv.Quote(s)
}

func (p *headerParser) delim(want json.Delim) error {
	tok, err := p.dec.Token()
	if err != nil {
		return jsonError(err)
	}
	if tok != want {
		return fmt.Errorf("want %v, got %s", want, brief(fmt.Sprint(tok)))
	}
	return nil
}

func jsonError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("want JSON, got a part of it")
	}
	return fmt.Errorf("want JSON, got: %w", err)
}

func (p *headerParser) parseMetadata() error {
	p.metadata = make(map[string]string)
	return p.object(func(key string) error {
		tok, err := p.dec.Token()
		if err != nil {
			return jsonError(err)
		}
		s, ok := tok.(string)
		if !ok {
			return fmt.Errorf("want a string, got %s", brief(fmt.Sprint(tok)))
		}
		p.metadata[key] = s
		return nil
	})
}

// parseTensor reads {"dtype": ..., "shape": ..., "data_offsets": ...} and checks the three against each other.
func (p *headerParser) parseTensor(name string) error {
	t := Info{Name: name}
	var shape, offsets []int64
	err := p.object(func(key string) error {
		var err error
		switch key {
		case "dtype":
			var tok json.Token
			if tok, err = p.dec.Token(); err != nil {
				return jsonError(err)
			}
			s, ok := tok.(string)
			if !ok {
				return fmt.Errorf("want a string, got %s", brief(fmt.Sprint(tok)))
			}
			t.DType = DType(s)
		case "shape":
			shape, err = p.integers(maxDimensions)
		case "data_offsets":
			offsets, err = p.integers(2)
		default: // the reference implementation ignores what it does not know
			var skip json.RawMessage
			if err = p.dec.Decode(&skip); err != nil {
				err = jsonError(err)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	switch {
	case t.DType == "" || shape == nil || len(offsets) != 2:
		return errors.New("want dtype, shape and two data_offsets, got something else")
	case t.DType.Size() == 0:
		return fmt.Errorf("tensors of type %.20s are not read; convert the file to F32, F16 or BF16: %w", t.DType, ErrFormat)
	case offsets[1] < offsets[0]:
		return fmt.Errorf("want ascending data_offsets, got %v", offsets)
	}
	t.offset, t.Size = offsets[0], offsets[1]-offsets[0]
	size, err := byteSize(t.DType, shape)
	if err != nil {
		return err
	}
	if size != t.Size {
		return fmt.Errorf("want %d bytes for %s %v, got data_offsets %v that hold %d", size, t.DType, shape, offsets, t.Size)
	}
	t.Shape = make([]int, len(shape))
	for i, d := range shape {
		t.Shape[i] = int(d) // fits: byteSize has checked
	}
	p.tensors = append(p.tensors, t)
	return nil
}

// integers reads an array of at most so many integers that are not negative. The result is not nil.
func (p *headerParser) integers(most int) ([]int64, error) {
	if err := p.delim('['); err != nil {
		return nil, err
	}
	list := []int64{}
	for p.dec.More() {
		if len(list) == most {
			return nil, fmt.Errorf("want at most %d integers, got more", most)
		}
		tok, err := p.dec.Token()
		if err != nil {
			return nil, jsonError(err)
		}
		num, ok := tok.(json.Number)
		if !ok {
			return nil, fmt.Errorf("want an integer, got %s", brief(fmt.Sprint(tok)))
		}
		v, err := num.Int64()
		if err != nil || v < 0 {
			return nil, fmt.Errorf("want an integer from 0 to 2^63-1, got %s", brief(num.String()))
		}
		list = append(list, v)
	}
	return list, p.delim(']')
}

// byteSize returns the bytes of a tensor, or an error if the product, or any dimension, exceeds what an int can index.
func byteSize(d DType, shape []int64) (int64, error) {
	size := int64(d.Size())
	for _, dim := range shape {
		if dim > math.MaxInt {
			return 0, fmt.Errorf("dimension %d of shape %v exceeds this machine's integers", dim, shape)
		}
		if dim != 0 && size > math.MaxInt/dim {
			return 0, fmt.Errorf("the size of shape %v overflows", shape)
		}
		size *= dim
	}
	return size, nil
}
