package main

import (
	"compress/gzip"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/cnnctl/cnnctl/philox"
)

// write makes a file and the folders above it.
func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stroke is a picture of a class, of side x side grey pixels: a bar at a place that the class determines, under noise.
func stroke(class, index, side int) []byte {
	r := philox.New(11, philox.Test, class, index)
	pix := make([]byte, side*side)
	at := 1 + class*(side-3)/8
	for i := range pix {
		pix[i] = byte(r.IntN(90))
		if x := i % side; x == at || x == at+1 {
			pix[i] += 140
		}
	}
	return pix
}

const strokeClasses = 8

// writeIDX makes an IDX data set of strokes and returns its folder.
func writeIDX(t *testing.T, train, val, side int) string {
	t.Helper()
	dir := t.TempDir()
	for _, part := range []struct {
		name     string
		first, n int
	}{{"train", 0, train}, {"t10k", train, val}} {
		be := binary.BigEndian
		images := be.AppendUint32(be.AppendUint32(be.AppendUint32(be.AppendUint32(nil, 0x803), uint32(part.n)), uint32(side)), uint32(side))
		labels := be.AppendUint32(be.AppendUint32(nil, 0x801), uint32(part.n))
		for i := range part.n {
			class := i % strokeClasses
			images = append(images, stroke(class, part.first+i, side)...)
			labels = append(labels, byte(class))
		}
		write(t, filepath.Join(dir, part.name+"-images-idx3-ubyte"), images)
		write(t, filepath.Join(dir, part.name+"-labels-idx1-ubyte"), labels)
	}
	return dir
}

// writePNG makes a picture of a stroke, in colour or grey.
func writePNG(t *testing.T, path string, class, index, side int, colour bool) {
	t.Helper()
	pix := stroke(class, index, side)
	var m image.Image = &image.Gray{Pix: pix, Stride: side, Rect: image.Rect(0, 0, side, side)}
	if colour {
		rgb := image.NewRGBA(image.Rect(0, 0, side, side))
		for i, v := range pix {
			rgb.Set(i%side, i/side, color.RGBA{v, 255 - v, uint8(20 * class), 255})
		}
		m = rgb
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, m); err != nil {
		t.Fatal(err)
	}
}

// writeFolder makes a data set of n PNG pictures in each of two classes and returns its folder.
func writeFolder(t *testing.T, n, side int) string {
	t.Helper()
	dir := t.TempDir()
	for class, name := range []string{"left", "right"} {
		for i := range n {
			writePNG(t, filepath.Join(dir, name, string(rune('a'+i%26))+string(rune('a'+i/26))+".png"), 5*class, i, side, true)
		}
	}
	return dir
}

func compress(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path + ".gz")
	if err != nil {
		t.Fatal(err)
	}
	w := gzip.NewWriter(f)
	if _, err := w.Write(read(t, path)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// shared returns a path of the real data beside the repository, and skips the test where that is absent.
func shared(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(dir, "..", "shared", "data", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no real data: %v", err)
	}
	return path
}
