package main

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Bad input ends with exit code 3, and the message names the file and the reason.
func TestBadData(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		spoil  func(t *testing.T) string // returns the data set
		reason []string
	}{
		{"absent", func(t *testing.T) string { return "nowhere" }, []string{"nowhere", "no such file"}},
		{"empty folder", func(t *testing.T) string { return t.TempDir() }, []string{"empty"}},
		{"no data", func(t *testing.T) string {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "notes.txt"), []byte("nothing to see"))
			return dir
		}, []string{"not a data set"}},
		{"one class", func(t *testing.T) string {
			dir := writeFolder(t, 4, 16)
			if err := os.RemoveAll(filepath.Join(dir, "right")); err != nil {
				t.Fatal(err)
			}
			return dir
		}, []string{"one class", "left"}},
		{"images cut", func(t *testing.T) string {
			dir := writeIDX(t, 64, 16, 16)
			cut(t, filepath.Join(dir, "train-images-idx3-ubyte"), 4000)
			return dir
		}, []string{"train-images-idx3-ubyte", "corrupt"}},
		{"gzip cut", func(t *testing.T) string {
			dir := writeIDX(t, 64, 16, 16)
			compress(t, filepath.Join(dir, "train-images-idx3-ubyte"))
			cut(t, filepath.Join(dir, "train-images-idx3-ubyte.gz"), 4000)
			return dir
		}, []string{"train-images-idx3-ubyte.gz", "could be unpacked"}},
		{"labels of another set", func(t *testing.T) string {
			dir := writeIDX(t, 64, 16, 16)
			other := writeIDX(t, 32, 16, 16)
			write(t, filepath.Join(dir, "train-labels-idx1-ubyte"), read(t, filepath.Join(other, "train-labels-idx1-ubyte")))
			return dir
		}, []string{"64", "32", "labels"}},
		{"labels missing", func(t *testing.T) string {
			dir := writeIDX(t, 64, 16, 16)
			if err := os.Remove(filepath.Join(dir, "train-labels-idx1-ubyte")); err != nil {
				t.Fatal(err)
			}
			return dir
		}, []string{"labels", "missing"}},
		{"corrupt image", func(t *testing.T) string {
			dir := writeFolder(t, 20, 16)
			write(t, filepath.Join(dir, "left", "aa.png"), []byte("\x89PNG\r\n\x1a\nand no more"))
			return dir
		}, []string{"left/aa.png", "corrupt"}},
		{"decompression bomb", func(t *testing.T) string {
			dir := writeFolder(t, 20, 16)
			write(t, filepath.Join(dir, "left", "aa.png"), bomb())
			return dir
		}, []string{"left/aa.png", "60000 x 60000"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := c.spoil(t)
			work := t.TempDir()
			cnnctl(t, work, "train", "lenet5", "--data", dir, "--epochs", "1", "--image-size", "16").want(t, exitData, c.reason...)
			cnnctl(t, work, "data", "check", dir).want(t, exitData, c.reason...)
		})
	}
}

// cut shortens a file.
func cut(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

// bomb is the head of a PNG picture of 3.6 thousand million pixels.
func bomb() []byte {
	be := binary.BigEndian
	chunk := append(be.AppendUint32(be.AppendUint32([]byte("IHDR"), 60000), 60000), 8, 0, 0, 0, 0)
	b := be.AppendUint32([]byte("\x89PNG\r\n\x1a\n"), 13)
	return be.AppendUint32(append(b, chunk...), crc32.ChecksumIEEE(chunk))
}

// Real files that were cut while they were copied.
func TestTruncatedArchives(t *testing.T) {
	t.Parallel()
	for file, label := range map[string]string{"fashion-train-images-TRUNCATED-1578568B.gz": "train", "kmnist-t10k-images-TRUNCATED-32768B.gz": "t10k"} {
		dir := t.TempDir()
		src := shared(t, filepath.Join("truncated", file))
		write(t, filepath.Join(dir, label+"-images-idx3-ubyte.gz"), read(t, src))
		labels := read(t, shared(t, filepath.Join("mnist", label+"-labels-idx1-ubyte.gz")))
		write(t, filepath.Join(dir, label+"-labels-idx1-ubyte.gz"), labels)
		cnnctl(t, dir, "train", "lenet5", "--data", dir, "--epochs", "1").want(t, exitData, label+"-images-idx3-ubyte.gz", "could be unpacked")
	}
}

// --skip-corrupt tolerates so many samples, and says which.
func TestSkipCorrupt(t *testing.T) {
	t.Parallel()
	dir, work := writeFolder(t, 20, 16), t.TempDir()
	bad := []string{"aa.png", "da.png", "ga.png"}
	for _, name := range bad {
		write(t, filepath.Join(dir, "left", name), bytes.Repeat([]byte("no picture "), 40))
	}
	args := []string{"train", "lenet5", "--data", dir, "--epochs", "1", "--image-size", "16", "-b", "4", "--skip-corrupt"}
	cnnctl(t, work, append(args, "2")...).want(t, exitData, "left/", "2 corrupt samples are tolerated, and this is one too many")
	r := cnnctl(t, work, append(args, "3", "--json")...).want(t, exitDone, "3 corrupt samples so far, of which --skip-corrupt tolerates 3")
	for _, name := range bad {
		if !strings.Contains(r.out, `"event":"warning"`) || strings.Count(r.err, "left/"+name) != 1 {
			t.Errorf("want one warning of %s in\n%s", name, r.err)
		}
	}
	cnnctl(t, work, "data", "check", dir).want(t, exitData, "left/aa.png", "left/da.png", "left/ga.png", "--skip-corrupt")
}

// The bound on pixels is the user's.
func TestMaxPixels(t *testing.T) {
	t.Parallel()
	dir := writeFolder(t, 20, 16)
	args := []string{"train", "lenet5", "--data", dir, "--epochs", "0", "--image-size", "16", "--max-pixels"}
	cnnctl(t, dir, append(args, "255")...).want(t, exitData, "16 x 16 pixels, but at most 255")
	cnnctl(t, dir, append(args, "256")...).want(t, exitDone)
}

// Photographs of all sizes, one of them a GIF with another ending.
func TestPhotographs(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("decodes 400 photographs")
	}
	dir, work := shared(t, "hymenoptera"), t.TempDir()
	cnnctl(t, work, "train", "lenet5", "--data", dir, "--epochs", "1", "--image-size", "32", "-b", "32").want(t, exitDone, "2 classes", "153 validation samples", "RandomResizedCrop")
	cnnctl(t, work, "predict", "--run", "runs/train/lenet5", filepath.Join(dir, "val", "ants", firstFile(t, filepath.Join(dir, "val", "ants")))).want(t, exitDone, "ants", "bees")
}

func firstFile(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return entries[0].Name()
}
