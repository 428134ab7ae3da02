package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
)

// An idxArray is the content of an IDX file of unsigned bytes: the last dimension varies fastest.
// The format is described at the end of LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
type idxArray struct {
	dims []int // (N) or (N, H, W)
	data []uint8
}

// isIDX recognises an IDX file of one or three dimensions by its magic number.
func isIDX(head []byte) bool {
	return len(head) >= 4 && head[0] == 0 && head[1] == 0 && head[2] == idxUint8 && (head[3] == 1 || head[3] == 3)
}

// idxUint8 is the type code of unsigned bytes, the only one that image sets use.
const idxUint8 = 0x08

// parseIDX reads an IDX file of nd dimensions from raw, which may be compressed with gzip (told by its content, since
// browsers unpack on the fly and leave the name). At most limit bytes are unpacked. What it allocates follows from the
// bytes that are really there, never from the header alone. The result may share raw's memory.
func parseIDX(name string, raw []byte, nd int, limit int64) (*idxArray, error) {
	var r io.Reader = bytes.NewReader(raw)
	packed := bytes.HasPrefix(raw, gzipMagic)
	if packed {
		zr, err := gzip.NewReader(r)
		if err != nil {
			return nil, corrupt(name, "its gzip header is broken (%v); fetch it again", err)
		}
		r = zr
	}
	head := make([]byte, 4+4*nd)
	if n, err := io.ReadFull(r, head); err != nil {
		return nil, corrupt(name, "an IDX header has %d bytes, but only %d could be read (%v); fetch it again", len(head), n, err)
	}
	if want := uint32(idxUint8)<<8 | uint32(nd); binary.BigEndian.Uint32(head) != want {
		return nil, corrupt(name, "its magic number is 0x%08x instead of 0x%08x (unsigned bytes in %d dimensions); is it the right file?",
			binary.BigEndian.Uint32(head), want, nd)
	}
	a := &idxArray{dims: make([]int, nd)}
	size := int64(1)
	for i := range nd {
		d := int64(binary.BigEndian.Uint32(head[4+4*i:]))
		if d == 0 || d > math.MaxInt32 || size > math.MaxInt64/d {
			return nil, corrupt(name, "its header says that dimension %d has %d elements", i+1, d)
		}
		size *= d
		a.dims[i] = int(d)
	}
	if !packed {
		if a.data = raw[len(head):]; int64(len(a.data)) != size {
			return nil, corrupt(name, "its header promises %d bytes of data (%v), but the file holds %d; fetch it again", size, a.dims, len(a.data))
		}
		return a, nil
	}
	if size > limit {
		return nil, corrupt(name, "its header promises %d bytes of data (%v), more than the %d that may be kept in memory", size, a.dims, limit)
	}
	var err error
	if a.data, err = unpack(r, size, int64(len(raw))); err != nil {
		return nil, corrupt(name, "its header promises %d bytes of data (%v), but only %d could be unpacked (%v); fetch it again",
			size, a.dims, len(a.data), err)
	}
	// Reading on to the end makes gzip compare its checksum.
	var more [1]byte
	switch _, err := io.ReadFull(r, more[:]); {
	case err == nil:
		return nil, corrupt(name, "it holds more than the %d bytes of data (%v) that its header promises", size, a.dims)
	case err != io.EOF:
		return nil, corrupt(name, "all of its %d bytes were unpacked, but they are damaged (%v); fetch it again", size, err)
	}
	return a, nil
}

// unpack reads size bytes from r, which decompresses from bytes. It starts with a few times that much memory, and
// doubles it only when it is full. The bytes before an error are returned with it.
func unpack(r io.Reader, size, from int64) ([]byte, error) {
	b := make([]byte, 0, min(size, 8*from))
	for int64(len(b)) < size {
		if len(b) == cap(b) {
			b = slices.Grow(b, int(min(size-int64(len(b)), int64(len(b)))))
		}
		n, err := io.ReadFull(r, b[len(b):min(int64(cap(b)), size)])
		b = b[:len(b)+n]
		if err != nil {
			return b, fmt.Errorf("after %d bytes: %w", len(b), noEOF(err))
		}
	}
	return b, nil
}
