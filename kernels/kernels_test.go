package kernels

import (
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The emulated driver finds what it is there to find: see emu/faults_test.cc.
func TestEmulatedDriverFindsMistakes(t *testing.T) {
	for _, tool := range []string{"g++", "make"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("building the emulated CUDA driver needs %s", tool)
		}
	}
	emu, err := filepath.Abs("../.tools/emu/libcuda-emu.so")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("make", "emu-test", "EMU="+emu).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\nok\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestFatBinary(t *testing.T) {
	if b, err := FatBinary("no such family"); !errors.Is(err, ErrNotBuilt) {
		t.Errorf("an unknown family gives %d bytes and error %v, want ErrNotBuilt", len(b), err)
	}
	sources, err := fs.Glob(Sources, "*.cu")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources are embedded: %v", err)
	}
	for _, s := range sources {
		family := strings.TrimSuffix(s, ".cu")
		b, err := FatBinary(family)
		if errors.Is(err, ErrNotBuilt) {
			t.Skip(err)
		}
		// The magic number of NVIDIA's fat binaries, little-endian.
		if err != nil || len(b) < 4 || string(b[:4]) != "\x50\xed\x55\xba" {
			t.Errorf("%s: %d bytes, error %v, wanted a fat binary", family, len(b), err)
		}
	}
}
