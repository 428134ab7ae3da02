package data

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// patchZip overwrites 16- or 32-bit fields of the central directory's entry for name.
func patchZip(t *testing.T, raw []byte, name string, at int, v []byte) []byte {
	t.Helper()
	raw = bytes.Clone(raw)
	for i := 0; i+46 < len(raw); i++ {
		if string(raw[i:i+4]) == "PK\x01\x02" && strings.HasPrefix(string(raw[i+46:]), name) {
			copy(raw[i+at:], v)
			return raw
		}
	}
	t.Fatalf("the archive has no entry %s", name)
	return nil
}

func TestZipThatLies(t *testing.T) {
	c := content{}
	for _, n := range []string{"a/1.png", "a/2.png", "a/3.png", "b/1.png", "b/2.png"} {
		c[n] = pngOf(t, 1, 2, 3)
	}
	raw := c.zip(t)
	huge := binary.LittleEndian.AppendUint32(nil, 1<<30)
	both := append(bytes.Clone(huge), huge...) // compressed and uncompressed size: no suspicious ratio
	if _, err := Open(write(t, patchZip(t, raw, "a/2.png", 20, both)), Options{}); !errors.Is(err, ErrCorrupt) || !strings.Contains(fmt.Sprint(err), "more than the whole archive") {
		t.Errorf("an entry larger than the archive gave %v", err)
	}
	s := open(t, write(t, patchZip(t, raw, "a/2.png", 8, []byte{1, 0})), Options{})
	if got := s.Train.Len() + s.Val.Len(); got != 4 || !strings.Contains(strings.Join(s.Notes, "\n"), "1 encrypted files") {
		t.Errorf("an encrypted entry left %d samples and notes %q, want 4", got, s.Notes)
	}
	// A size that is wrong by a little shows when the entry is read, by name.
	for _, n := range []uint32{uint32(len(c["a/2.png"])) - 1, uint32(len(c["a/2.png"])) + 1} {
		tr, err := openTree(write(t, patchZip(t, raw, "a/2.png", 24, binary.LittleEndian.AppendUint32(nil, n))), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tr.readAll(tr.lookup("a/2.png"), 1<<20); !errors.Is(err, ErrCorrupt) || !strings.Contains(fmt.Sprint(err), "a/2.png") {
			t.Errorf("an entry said to have %d bytes gave %v", n, err)
		}
		if err := tr.store.Close(); err != nil {
			t.Error(err)
		}
	}
}

// One file beyond the bound is refused before it is read into memory.
func TestCompressedTarBoundsMemory(t *testing.T) {
	raw := gzipped(t, content{"a/1.png": append(pngOf(t, 1, 0, 0), make([]byte, 64<<20)...), "b/1.png": pngOf(t, 2, 0, 0)}.tar(t))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := openTarGz("big.tar.gz", bytes.NewReader(raw), 1<<20)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrFormat) || !strings.Contains(fmt.Sprint(err), "1048576") {
		t.Errorf("got %v, want ErrFormat and the bound", err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
		t.Errorf("%d bytes were allocated, with a bound of 1 MiB", got)
	}
}

// The contents of a sparse file do not lie in one piece, so that reading in place would give other bytes.
func TestSparseTarEntryIsLeftOut(t *testing.T) {
	h := &tar.Header{Name: "a/1.png", Typeflag: tar.TypeReg}
	if _, ok := tarFile(h); !ok {
		t.Error("a regular file was left out")
	}
	h.PAXRecords = map[string]string{"GNU.sparse.major": "1"}
	if name, ok := tarFile(h); ok {
		t.Errorf("the sparse file %s was taken", name)
	}
}

// A file too large for any image of the permitted size is refused without being read.
func TestOversizedImageFile(t *testing.T) {
	c := content{}
	for _, n := range []string{"train/a/1.png", "train/b/1.png", "val/a/1.png"} {
		c[n] = pngOf(t, 1, 2, 3)
	}
	dir := c.folder(t)
	big := filepath.Join(dir, "train", "a", "1.png")
	if err := os.Truncate(big, 17<<20); err != nil { // sparse: takes no space
		t.Fatal(err)
	}
	s := open(t, dir, Options{MaxPixels: 1000})
	var m Image
	if err := s.Train.Read(0, &m); !errors.Is(err, ErrCorrupt) || !strings.Contains(fmt.Sprint(err), big) {
		t.Errorf("got %v, want ErrCorrupt and the path", err)
	}
	if err := s.Train.Read(1, &m); err != nil {
		t.Error(err)
	}
}

// A file that shrinks or vanishes after the folder was listed: the first is damage, the second an I/O error.
func TestFolderThatChanges(t *testing.T) {
	c := content{}
	for _, n := range []string{"train/a/1.png", "train/b/1.png", "val/a/1.png"} {
		c[n] = pngOf(t, 1, 2, 3)
	}
	dir := c.folder(t)
	s := open(t, dir, Options{})
	if err := os.Truncate(filepath.Join(dir, "train", "a", "1.png"), 10); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "train", "b", "1.png")); err != nil {
		t.Fatal(err)
	}
	var m Image
	if err := s.Train.Read(0, &m); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a file that shrank gave %v", err)
	}
	if err := s.Train.Read(1, &m); !errors.Is(err, os.ErrNotExist) || errors.Is(err, ErrCorrupt) {
		t.Errorf("a file that vanished gave %v", err)
	}
}

// Two workers may read the same corrupt sample at once: it counts once.
func TestCorruptSampleCountsOnce(t *testing.T) {
	ds := &fakeSet{values: ramp(4, 0), classes: 2}
	tol := NewTolerance(1)
	w := tol.Wrap(ds).(*tolerant)
	for range 2 {
		if err := w.note(2, corrupt("fake[2]", "made so")); err != nil {
			t.Error(err)
		}
	}
	if got := len(tol.Skipped()); got != 1 {
		t.Errorf("%d samples counted, want 1", got)
	}
}
