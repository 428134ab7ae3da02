package checkpoint

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// torch.save writes, since PyTorch 1.6, a zip archive of stored (never compressed) files
//
//	NAME/data.pkl     the pickle; storages stand in it as persistent identifiers ('storage', type, key, device, length)
//	NAME/data/KEY     a storage each
//	NAME/byteorder    "little" or "big" (since PyTorch 2.1; always little before)
//	NAME/version
//
// (torch/serialization.py, functions _save and _load; caffe2/serialize/inline_container.cc). Files of TorchScript have the
// same shape and code besides.

// maxDirectory bounds the part of the file that archive/zip turns into a table of its contents, which occupies several
// times as much memory. It is enough for about 80,000 storages.
const maxDirectory = 8 << 20

// readZip reads the pickle and finds the storages in the archive.
func (f *File) readZip(key string) error {
	archive, err := zip.NewReader(&directoryReader{f.r, maxDirectory}, f.size)
	if err != nil {
		return fmt.Errorf("want a whole zip archive: %w", err)
	}
	records := make(map[string]*zip.File, len(archive.File))
	prefix, found := "", false
	for _, z := range archive.File {
		if records[z.Name] != nil {
			return fmt.Errorf("want one %q in the archive, got two", z.Name)
		}
		records[z.Name] = z
		if dir, base := path.Split(z.Name); base == "data.pkl" && strings.Count(dir, "/") <= 1 {
			if found {
				return fmt.Errorf("want one data.pkl in the archive, got %q and %q", prefix+base, z.Name)
			}
			prefix, found = dir, true
		}
	}
	if records[prefix+"constants.pkl"] != nil {
		return fmt.Errorf("it is a TorchScript archive, which holds code: %w", errRefused)
	}
	if !found {
		return fmt.Errorf("want a PyTorch file with a data.pkl, got a zip archive of %d other files: %w", len(records), errRefused)
	}
	r := zipRecords{f: f, records: records, prefix: prefix}
	if err := r.readByteOrder(); err != nil {
		return err
	}
	off, size, err := r.place("data.pkl")
	if err != nil {
		return err
	}
	if err := checkCRC(f.r, off, size, records[prefix+"data.pkl"].CRC32); err != nil {
		return fmt.Errorf("data.pkl: %w", err)
	}
	f.checksums = true
	all := make(storages)
	u := &unpickler{in: newPickleSource(f.r, off, size), budget: f.size + pickleMemory}
	u.persistent = func(id []any) (any, error) {
		if len(id) != 5 || id[0] != "storage" {
			return nil, fmt.Errorf("want an identifier ('storage', type, key, device, length), got %d items", len(id))
		}
		s, err := all.add(id[1], id[2], id[4])
		if err != nil {
			return nil, err
		}
		return whole(s), r.locate(s)
	}
	v, err := u.load()
	if err != nil {
		return err
	}
	return f.useStateDict(v, key, containerZip, u.spend)
}

// zipRecords are the files of an archive by name.
type zipRecords struct {
	f         *File
	records   map[string]*zip.File
	prefix    string
	bigEndian bool
}

// place returns where a record's bytes lie.
func (r *zipRecords) place(name string) (off, size int64, err error) {
	z := r.records[r.prefix+name]
	switch {
	case z == nil:
		return 0, 0, fmt.Errorf("want a record %q in the archive, got none", r.prefix+name)
	case z.Flags&1 != 0:
		return 0, 0, fmt.Errorf("record %q is encrypted; decrypt the archive first: %w", z.Name, ErrFormat)
	case z.Method != zip.Store:
		return 0, 0, fmt.Errorf("record %q is compressed, so another program than torch.save wrote it; unpack the archive and zip it with `zip -0`: %w", z.Name, ErrFormat)
	case z.CompressedSize64 != z.UncompressedSize64 || z.UncompressedSize64 > uint64(r.f.size):
		return 0, 0, fmt.Errorf("record %q: want a size within the file's %d bytes, got %d and %d", z.Name, r.f.size, z.CompressedSize64, z.UncompressedSize64)
	}
	size = int64(z.UncompressedSize64)
	if off, err = z.DataOffset(); err != nil {
		return 0, 0, fmt.Errorf("record %q: %w", z.Name, err)
	}
	if off < 0 || off > r.f.size-size {
		return 0, 0, fmt.Errorf("record %q: want its %d bytes within the file's %d, got them at %d", z.Name, size, r.f.size, off)
	}
	return off, size, nil
}

// locate says where a storage lies.
func (r *zipRecords) locate(s *storage) error {
	if s.hasCRC { // found already: several tensors share it
		return nil
	}
	off, size, err := r.place("data/" + s.key)
	if err != nil {
		return err
	}
	if size != s.bytes() {
		return fmt.Errorf("storage %q: want %d bytes for %d elements of %q, got %d", s.key, s.bytes(), s.numel, s.dtype, size)
	}
	s.offset, s.bigEndian = off, r.bigEndian
	s.crc, s.hasCRC = r.records[r.prefix+"data/"+s.key].CRC32, true
	return nil
}

func (r *zipRecords) readByteOrder() error {
	if r.records[r.prefix+"byteorder"] == nil {
		return nil
	}
	off, size, err := r.place("byteorder")
	if err != nil {
		return err
	}
	b := make([]byte, min(size, 16))
	if _, err := r.f.r.ReadAt(b, off); err != nil && !errors.Is(err, io.EOF) {
		return &readError{err}
	}
	switch string(b) {
	case "little":
	case "big":
		r.bigEndian = true
	default:
		return fmt.Errorf("byteorder: want little or big, got %q", b)
	}
	return nil
}

// A directoryReader reads what archive/zip asks for: the table of contents and the records' own headers. It stops after
// left bytes, and marks failures of the disk, which archive/zip hands through.
type directoryReader struct {
	r    io.ReaderAt
	left int64
}

func (d *directoryReader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, zip.ErrFormat
	}
	if d.left -= int64(len(p)); d.left < 0 {
		return 0, fmt.Errorf("want a table of contents of at most %d MiB, got more: %w", maxDirectory>>20, ErrFormat)
	}
	n, err := d.r.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &readError{err}
	}
	return n, err
}
