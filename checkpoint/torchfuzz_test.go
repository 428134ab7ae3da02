package checkpoint

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// FuzzPickle runs pickles as data.pkl of an archive that is otherwise right, because the checksum would stop them.
func FuzzPickle(f *testing.F) {
	for _, c := range badPickles {
		f.Add([]byte(c.pickle), []byte(eightFloats))
	}
	f.Add([]byte(tensorPickle("0", 8, 1, []int64{2, 1, 3}, []int64{1, 9, 2})), []byte(eightFloats))
	for _, file := range seedFiles(f, "*-legacy.pth") {
		f.Add(cutPickles(f, file, 3), []byte(eightFloats))
	}
	f.Fuzz(func(t *testing.T, pickle, storage []byte) {
		openHostile(t, torchArchive(t, string(pickle), string(storage)))
	})
}

func FuzzZip(f *testing.F) {
	for _, file := range seedFiles(f, "*.pth") {
		f.Add(file)
	}
	f.Add(torchArchive(f, tensorPickle("0", 8, 0, []int64{2, 4}, []int64{1, 2}), eightFloats))
	f.Fuzz(func(t *testing.T, b []byte) {
		openHostile(t, b)
		openHostile(t, append([]byte("PK\x03\x04"), b[min(4, len(b)):]...))
	})
}

func FuzzLegacy(f *testing.F) {
	for _, file := range seedFiles(f, "*-legacy.pth") {
		f.Add(file)
	}
	object := new(pickler).tensor("0", 8, 0, []int64{2, 4}, []int64{1, 2}, true).String() + "."
	f.Add(torchStream(object, "]X\x01\x00\x00\x000a.", "\x08\x00\x00\x00\x00\x00\x00\x00"+eightFloats))
	// The three pickles before the object are always the same, so fuzzing begins after them.
	start := torchStream("", "", "")
	f.Fuzz(func(t *testing.T, b []byte) {
		openHostile(t, b)
		openHostile(t, append(start[:len(start):len(start)], b...))
	})
}

func seedFiles(f *testing.F, pattern string) [][]byte {
	f.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(paths) == 0 {
		f.Fatalf("no seeds for %s: %v", pattern, err)
	}
	var files [][]byte
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		files = append(files, b)
	}
	return files
}

// cutPickles returns what follows the first n pickles of a stream.
func cutPickles(f *testing.F, b []byte, n int) []byte {
	f.Helper()
	in := newPickleSource(bytes.NewReader(b), 0, int64(len(b)))
	u := &unpickler{in: in, budget: pickleMemory}
	for range n {
		if _, err := u.load(); err != nil {
			f.Fatal(err)
		}
	}
	return b[in.pos:]
}
