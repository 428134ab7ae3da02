package data

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// content maps slash-separated names to bytes: a place before it becomes a folder or an archive.
type content map[string][]byte

func (c content) names() []string { return slices.Sorted(maps.Keys(c)) }

// folder writes c below a temporary folder.
func (c content) folder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range c {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// tar returns c as a tar archive. The files stand in reverse order: the order must not matter.
func (c content) tar(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Backward(c.names()) {
		h := &tar.Header{Name: "./" + name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(c[name]))}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(c[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (c content) zip(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Backward(c.names()) {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(c[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// write puts b into a temporary file. Its name has no ending, since the content decides.
func write(t testing.TB, b []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "set")
	if err := os.WriteFile(p, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

// pngOf returns a 5 x 4 PNG of one colour.
func pngOf(t testing.TB, r, g, b uint8) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 5, 4))
	for i := range m.Pix {
		m.Pix[i] = [4]uint8{r, g, b, 255}[i%4]
	}
	if m.NRGBAAt(4, 3) != (color.NRGBA{r, g, b, 255}) {
		t.Fatal("the picture is not what it should be")
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, m); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// open is Open of a place that must be fine; it is closed with the test.
func open(t testing.TB, path string, opt Options) *Source {
	t.Helper()
	s, err := Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// firstPixels reads a data set as a list of the first pixels of its images.
func firstPixels(t testing.TB, ds Dataset) [][3]uint8 {
	t.Helper()
	var out [][3]uint8
	var m Image
	for i := range ds.Len() {
		if err := ds.Read(i, &m); err != nil {
			t.Fatal(err)
		}
		if m.C != ds.Channels() || len(m.Pix) != m.W*m.H*m.C {
			t.Fatalf("%s: %d channels and %d bytes for %d x %d", ds.Name(i), m.C, len(m.Pix), m.W, m.H)
		}
		out = append(out, [3]uint8(append(slices.Clone(m.Pix[:m.C]), 0, 0)))
	}
	return out
}
