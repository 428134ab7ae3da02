package data

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
)

// readSeekerAt is what reading a tar in place takes; *os.File and *bytes.Reader have it.
type readSeekerAt interface {
	io.ReadSeeker
	io.ReaderAt
}

// openTar lists the files of an uncompressed tar, which is then read in place.
func openTar(path string, r readSeekerAt, close func() error) (*tree, error) {
	t := &tree{path: path, suffix: ".tar", store: &tarStore{r, close}}
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			t.sortFiles()
			return t, nil
		}
		if err != nil {
			return nil, readError(path, err)
		}
		name, ok := tarFile(h)
		if !ok {
			continue
		}
		// package tar reads headers in whole blocks without buffering, so that the contents start where r stands.
		at, err := r.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, readError(path, err)
		}
		t.files = append(t.files, file{name: name, size: h.Size, at: at})
	}
}

// tarFile returns the name of a regular, visible file. Sparse files, whose bytes do not lie in one piece, are left
// out: images never are.
func tarFile(h *tar.Header) (name string, ok bool) {
	if h.Typeflag != tar.TypeReg {
		return "", false
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return "", false
		}
	}
	return cleanName(h.Name)
}

// tarStore reads a plain tar in place; file.at is the offset of the contents.
type tarStore struct {
	r     io.ReaderAt
	close func() error
}

func (s *tarStore) read(f *file, n int64, buf *[]byte) ([]byte, error) {
	b := grow(buf, min(n, f.size))
	if _, err := s.r.ReadAt(b, f.at); err != nil && !(err == io.EOF && len(b) == 0) {
		return nil, err
	}
	return b, nil
}

func (s *tarStore) Close() error { return s.close() }

// openTarGz reads a compressed tar once and keeps the files that may belong to a data set, still encoded: a compressed
// stream cannot be read from the middle, and unpacking all of it for every epoch would cost more than decoding the
// images. Image files hardly compress, so this takes about as much memory as the archive takes on disk. More than
// maxMemory bytes are refused.
func openTarGz(path string, r io.Reader, maxMemory int64) (*tree, error) {
	zr, err := gzip.NewReader(r)
	if err != nil {
		return nil, readError(path, err)
	}
	inside := bufio.NewReader(zr)
	switch head, err := inside.Peek(262); {
	case isIDX(head):
		return nil, formatError(path, "it is one IDX file; give the folder that holds it together with its labels")
	case err != nil && err != io.EOF:
		return nil, readError(path, err)
	case !isTar(head):
		return nil, formatError(path, "it is compressed with gzip, but what is inside is no tar archive")
	}
	mem := &memStore{}
	t := &tree{path: path, suffix: ".tar.gz", store: mem}
	tr := tar.NewReader(inside)
	left := maxMemory
	for {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, readError(path, err)
		}
		name, ok := tarFile(h)
		if !ok {
			continue
		}
		f := file{name: name, size: h.Size}
		kept, err := mem.add(&f, tr, left)
		if err != nil {
			return nil, readError(path+":"+name, err)
		}
		if left -= kept + int64(len(name)) + fileOverhead; left < 0 {
			return nil, fmt.Errorf("%s: %w: a compressed tar is kept in memory, and its images exceed the bound of %d bytes; unpack it, or pack it as .zip or plain .tar, which are read in place",
				path, ErrFormat, maxMemory)
		}
		t.files = append(t.files, f)
	}
	// The gzip checksum stands behind the tar's end marker.
	if _, err := io.Copy(io.Discard, inside); err != nil {
		return nil, readError(path, err)
	}
	t.sortFiles()
	return t, nil
}

// fileOverhead is about what an entry of a tree takes beside its name, in bytes.
const fileOverhead = 64

// memStore holds files in memory; file.at is an index into blobs, or -1 for a file that was not worth keeping.
type memStore struct {
	blobs [][]byte
	slab  []byte // room for small files: one allocation for many
}

const slabSize = 1 << 20

// add keeps the contents of f, which r delivers, if the name or the first bytes are those of a data set. It returns
// the bytes that it keeps. It reads no more than limit bytes, and allocates no more than twice what r really delivers.
func (s *memStore) add(f *file, r io.Reader, limit int64) (kept int64, err error) {
	var head [512]byte
	n, err := io.ReadFull(r, head[:min(f.size, int64(len(head)))])
	if err != nil {
		return 0, noEOF(err)
	}
	f.at = -1
	if !imageEnding(f.name) && imageType(head[:n]) == "" && !knownName(f.name) {
		return 0, nil
	}
	if f.size > limit {
		return f.size, nil
	}
	var b []byte
	if f.size <= slabSize {
		if int64(len(s.slab)) < f.size {
			s.slab = make([]byte, slabSize)
		}
		b, s.slab = s.slab[:f.size:f.size], s.slab[f.size:]
		copy(b, head[:n])
		if _, err := io.ReadFull(r, b[n:]); err != nil {
			return 0, noEOF(err)
		}
	} else {
		var buf bytes.Buffer
		buf.Write(head[:n])
		if _, err := io.CopyN(&buf, r, f.size-int64(n)); err != nil {
			return 0, noEOF(err)
		}
		b = buf.Bytes()
	}
	f.at = int64(len(s.blobs))
	s.blobs = append(s.blobs, b)
	return f.size, nil
}

// noEOF makes an end of the stream an unexpected one.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (s *memStore) read(f *file, n int64, _ *[]byte) ([]byte, error) {
	if f.at < 0 {
		return nil, nil
	}
	b := s.blobs[f.at]
	return b[:min(n, int64(len(b)))], nil
}

func (*memStore) Close() error { return nil }
