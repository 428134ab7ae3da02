package checkpoint

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

var be = binary.BigEndian

// A pickleSource reads instructions and their operands. It never allocates more than the bytes that are left.
type pickleSource struct {
	r   *bufio.Reader
	pos picklePos
	end picklePos
}

// A picklePos is an offset in the record or file that holds the pickle.
type picklePos int64

// wrap says where in the pickle that began at start an error happened. Errors of the disk keep their own words.
func (p picklePos) wrap(start picklePos, err error) error {
	var disk *readError
	if err == nil || errors.As(err, &disk) {
		return err
	}
	return fmt.Errorf("pickle, byte %d: %w", p-start, err)
}

// newPickleSource reads size bytes of r from off.
func newPickleSource(r io.ReaderAt, off, size int64) *pickleSource {
	return &pickleSource{
		r:   bufio.NewReader(io.NewSectionReader(r, off, size)),
		pos: picklePos(off),
		end: picklePos(off + size),
	}
}

// A readError is a failure of the disk, as opposed to one of the data.
type readError struct{ err error }

func (e *readError) Error() string { return "reading the checkpoint: " + e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// readFailure makes the end of the data an error about the data, and keeps any other for what it is.
func readFailure(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("want more bytes, got the end: it is truncated")
	}
	return &readError{err}
}

func (s *pickleSource) byte() (byte, error) {
	b, err := s.r.ReadByte()
	if err != nil {
		return 0, readFailure(err)
	}
	s.pos++
	return b, nil
}

// uint reads a little-endian integer of n bytes.
func (s *pickleSource) uint(n int) (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(s.r, b[:n]); err != nil {
		return 0, readFailure(err)
	}
	s.pos += picklePos(n)
	return le.Uint64(b[:]), nil
}

// string reads n bytes.
func (s *pickleSource) string(n int64) (string, error) {
	if left := int64(s.end - s.pos); n > left {
		return "", fmt.Errorf("want a string of %d bytes, got %d: it is truncated", n, left)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(s.r, b); err != nil {
		return "", readFailure(err)
	}
	s.pos += picklePos(n)
	return string(b), nil
}

// line reads up to a newline, which it drops. Only names of modules and functions are written so.
func (s *pickleSource) line() (string, error) {
	const longest = 256
	var line []byte
	for len(line) < longest {
		b, err := s.byte()
		if err != nil {
			return "", err
		}
		if b == '\n' {
			return string(line), nil
		}
		line = append(line, b)
	}
	return "", fmt.Errorf("want a name of at most %d bytes, got a longer one", longest)
}
