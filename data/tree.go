package data

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A file is one regular file of a tree.
type file struct {
	name string // slash-separated and relative to the tree's root
	size int64  // bytes, uncompressed
	at   int64  // where the store finds it; its meaning is the store's
}

// A store gives access to the bytes of a tree's files. Its methods may be called from several goroutines at once.
type store interface {
	// read returns the first min(n, f.size) bytes of f. It uses buf's memory, which it may replace by more, or returns
	// memory of its own that the caller must not change.
	read(f *file, n int64, buf *[]byte) ([]byte, error)
	Close() error
}

// A tree is a place that holds files: a folder or an archive.
type tree struct {
	path   string // as the user gave it
	suffix string // what Source.Format says about the place: "", ".tar", ".tar.gz", ".zip"
	files  []file // sorted by name, no hidden ones
	store  store
	notes  []string
}

// title returns the name of f for messages.
func (t *tree) title(f *file) string {
	if t.suffix == "" {
		return filepath.Join(t.path, filepath.FromSlash(f.name))
	}
	return t.path + ":" + f.name
}

// readAll returns the contents of f, which the caller must not change.
func (t *tree) readAll(f *file, limit int64) ([]byte, error) {
	if f.size > limit {
		return nil, fmt.Errorf("%s: %w: it has %d bytes, but only %d may be kept in memory", t.title(f), ErrFormat, f.size, limit)
	}
	var buf []byte
	b, err := t.store.read(f, f.size, &buf)
	if err != nil {
		return nil, readError(t.title(f), err)
	}
	return b, nil
}

// openTree lists the files at path. maxMemory bounds what is kept of a compressed tar.
func openTree(path string, maxMemory int64) (*tree, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w: there is no such file or folder: %w", path, ErrFormat, fs.ErrNotExist)
	case err != nil:
		return nil, fmt.Errorf("cannot read the data set: %w", err)
	case info.IsDir():
		return openDir(path)
	case !info.Mode().IsRegular():
		return nil, formatError(path, "it is neither a file nor a folder")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the data set: %w", err)
	}
	t, err := openArchive(f, info.Size(), maxMemory)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return t, nil
}

// openArchive recognises an archive by its first bytes. The tree takes over f unless there is an error.
func openArchive(f *os.File, size, maxMemory int64) (*tree, error) {
	head := make([]byte, 512)
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, readError(f.Name(), err)
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return openZip(f.Name(), f, size, f.Close)
	case bytes.HasPrefix(head, gzipMagic):
		t, err := openTarGz(f.Name(), bufio.NewReaderSize(f, 1<<16), maxMemory)
		if err != nil {
			return nil, err
		}
		return t, f.Close()
	case isTar(head):
		return openTar(f.Name(), f, f.Close)
	case imageType(head) != "":
		return nil, formatError(f.Name(), "it is a single image")
	case isIDX(head):
		return nil, formatError(f.Name(), "it is one IDX file; give the folder that holds it together with its labels")
	}
	return nil, formatError(f.Name(), "its content is none of .tar, .tar.gz and .zip")
}

var gzipMagic = []byte{0x1f, 0x8b}

// isTar recognises a tar archive by the magic of its first header (POSIX.1-1988 and GNU, not Unix V7's format).
func isTar(head []byte) bool {
	return len(head) >= 262 && string(head[257:262]) == "ustar"
}

// cleanName makes a name out of an archive, which may hold anything, into one relative to the root. It is not ok for
// files that are hidden, that archivers of macOS and NAS systems add, and for those outside the root.
func cleanName(name string) (clean string, ok bool) {
	name = path.Clean(strings.ReplaceAll(name, `\`, "/")) // some Windows archivers write backslashes
	name = strings.TrimPrefix(name, "/")
	if name == "" || name == "." {
		return "", false
	}
	for part := range strings.SplitSeq(name, "/") {
		if hidden(part) {
			return "", false
		}
	}
	return strings.ToValidUTF8(name, "\uFFFD"), true
}

// hidden tells whether a file or folder of that name is none of the user's data. It covers "..", too.
func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || name == "__MACOSX" || name == "@eaDir"
}

// sortFiles orders the files by name. Of several with one name the last counts, as when an archive is unpacked.
func (t *tree) sortFiles() {
	slices.SortStableFunc(t.files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	n := 0
	for i, f := range t.files {
		if i+1 < len(t.files) && t.files[i+1].name == f.name {
			continue
		}
		t.files[n] = f
		n++
	}
	t.files = t.files[:n]
}

// grow makes b a slice of n bytes, with new memory if need be, and returns it.
func grow(b *[]byte, n int64) []byte {
	if int64(cap(*b)) < n {
		*b = make([]byte, n)
	}
	*b = (*b)[:n]
	return *b
}
