package main

import (
	"image"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

func decodePicture(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	decode := png.Decode
	if filepath.Ext(path) == ".jpg" {
		decode = jpeg.Decode
	}
	m, err := decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The cells of a preview without augmentation show the original again, which goes through normalisation and back; with it they do not.
func TestPreview(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := writeIDX(t, 64, 16, 16)
	// The measures of a sheet of 16x16 pictures: enlarged tenfold, in frames of 3 and gaps of 10 pixels.
	const pitch, inner = 160 + 2*3 + 10, 13
	same := func(m image.Image, column int) bool {
		for y := range 160 {
			for x := range 160 {
				if m.At(inner+x, inner+y) != m.At(inner+column*pitch+x, inner+y) {
					return false
				}
			}
		}
		return true
	}
	cnnctl(t, dir, "data", "preview", data, "--model", "lenet5", "-o", "plain.png", "-n", "2", "--versions", "2").want(t, exitDone,
		"idx, 64 training samples of 8 classes", "16x16x1", "Normalize(", "plain.png")
	m := decodePicture(t, filepath.Join(dir, "plain.png"))
	if got := m.Bounds().Dx(); got != 3*pitch+10 || !same(m, 1) || !same(m, 2) {
		t.Errorf("a sheet %d pixels wide, want %d; epochs 1 and 2 like the original: %v, %v", got, 3*pitch+10, same(m, 1), same(m, 2))
	}
	height := m.Bounds().Dy()
	cnnctl(t, dir, "data", "preview", data, "--model", "lenet5", "-o", "changed.png", "-n", "2", "--versions", "2", "--aa", "rand-p1-n4", "--mixup", "1", "-b", "8").want(t, exitDone, "RandAugment(rand-m10-n4-p1")
	m = decodePicture(t, filepath.Join(dir, "changed.png"))
	if same(m, 1) || same(m, 2) || m.Bounds().Dy() <= height {
		t.Errorf("with --aa, epochs 1 and 2 like the original: %v, %v; with --mixup, %d pixels high, without %d", same(m, 1), same(m, 2), m.Bounds().Dy(), height)
	}
	cnnctl(t, dir, "data", "preview", "shapes", "-n", "1", "--versions", "1").want(t, exitDone, "preview.jpg")
	decodePicture(t, filepath.Join(dir, "preview.jpg"))

	cnnctl(t, dir, "data", "preview", data, "-o", "x.gif").want(t, exitUsage, "x.gif", ".png")
	cnnctl(t, dir, "data", "preview", data, "-n", "0").want(t, exitUsage, "--samples 0")
	cnnctl(t, dir, "data", "preview", data, "--aa", "best").want(t, exitUsage, "--aa")
	cnnctl(t, dir, "data", "preview", dir).want(t, exitData, "not a data set")
	cnnctl(t, dir, "data", "preview", data, "-o", "nowhere/x.png").want(t, exitIO, "nowhere")
}
