package data

import (
	"archive/zip"
	"fmt"
	"io"
)

// A file inside a zip that is larger than bombSize and grows by more than bombRatio when unpacked is taken for a
// decompression bomb: deflate reaches 1032, encoded images hardly exceed 1.
const (
	bombSize  = 16 << 20
	bombRatio = 100
)

// openZip lists the files of a zip of size bytes, which is then read in place.
func openZip(path string, r io.ReaderAt, size int64, close func() error) (*tree, error) {
	zr, err := zip.NewReader(r, size)
	if err != nil {
		return nil, readError(path, err)
	}
	t := &tree{path: path, suffix: ".zip", store: &zipStore{zr.File, close}}
	encrypted := 0
	for i, f := range zr.File {
		name, ok := cleanName(f.Name)
		if !ok || !f.Mode().IsRegular() {
			continue
		}
		if f.Flags&1 != 0 {
			encrypted++
			continue
		}
		if f.CompressedSize64 > uint64(size) {
			return nil, corrupt(path+":"+name, "its %d bytes are more than the whole archive of %d; fetch it again", f.CompressedSize64, size)
		}
		if f.UncompressedSize64 > bombSize && f.UncompressedSize64/bombRatio > f.CompressedSize64 {
			return nil, corrupt(path+":"+name, "%d bytes are said to unpack to %d, which no image does", f.CompressedSize64, f.UncompressedSize64)
		}
		t.files = append(t.files, file{name: name, size: int64(f.UncompressedSize64), at: int64(i)})
	}
	if encrypted > 0 {
		t.notes = append(t.notes, fmt.Sprintf("%d encrypted files are left out", encrypted))
	}
	t.sortFiles()
	return t, nil
}

// zipStore reads a zip in place; file.at is the index of the entry.
type zipStore struct {
	files []*zip.File
	close func() error
}

func (s *zipStore) read(f *file, n int64, buf *[]byte) ([]byte, error) {
	r, err := s.files[f.at].Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := grow(buf, min(n, f.size))
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, noEOF(err)
	}
	if n >= f.size {
		// The checksum is compared when the end is reached, which a read beyond the promised size does.
		var more [1]byte
		switch _, err := io.ReadFull(r, more[:]); {
		case err == nil:
			return nil, corrupt(f.name, "it unpacks to more than the promised %d bytes", f.size)
		case err != io.EOF:
			return nil, err
		}
	}
	return b, nil
}

func (s *zipStore) Close() error { return s.close() }
