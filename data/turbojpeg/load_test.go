//go:build cgo && linux

package turbojpeg

import (
	"bytes"
	"debug/elf"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The program must start on machines without the library.
func TestNothingIsLinked(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range libraries {
		if strings.Contains(l, "jpeg") {
			t.Errorf("the program depends on %s", l)
		}
	}
}

func TestReason(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text.so")
	if err := os.WriteFile(text, []byte("no library"), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/nowhere/libturbojpeg.so.0": "/nowhere/libturbojpeg.so.0: cannot open shared object file",
		text:                         "text.so: ",
		"libm.so.6":                  "libm.so.6 lacks tjInitDecompress",
	} {
		if err := load(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want the reason %q", path, err, want)
		}
	}
}

// Neither a file that is decoded nor one that is not leaves anything behind. A handle has tens of kilobytes.
func TestNoLeak(t *testing.T) {
	need(t)
	raw := encode(t, picture(40, 30))
	dst := make([]byte, 3*40*30)
	work := func() {
		for range 2000 {
			Decode(dst, raw, 40, 30, 1)
			Decode(dst, raw[:len(raw)/2], 40, 30, 1)
			Decode(dst, raw[:20], 40, 30, 1)
		}
	}
	work()
	before := resident(t)
	work()
	if grown := resident(t) - before; grown > 8<<20 {
		t.Errorf("6000 files leave %d bytes", grown)
	}
}

// resident returns the bytes of the process that are in memory.
func resident(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(string(bytes.Fields(b)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
