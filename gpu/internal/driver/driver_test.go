//go:build cuda && cgo && linux

package driver

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gorgonia.org/cu"
)

// The program must start on machines without a driver.
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
		if strings.Contains(l, "cuda") {
			t.Errorf("the program depends on %s", l)
		}
	}
}

// in runs the test of that name in a process of its own, where the driver is not loaded yet, with another driver.
func in(t *testing.T, path, test string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe, "-test.run=^"+test+"$", "-test.v")
	c.Env = append(os.Environ(), Variable+"="+path, "CNNCTL_DRIVER_TEST=1")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("%s with %s: %v", test, path, err)
	}
	return string(out)
}

// inside skips a test that only runs in a process of its own.
func inside(t *testing.T) {
	if os.Getenv("CNNCTL_DRIVER_TEST") == "" {
		t.Skip("runs in a process of its own")
	}
}

func TestLoad(t *testing.T) {
	inside(t)
	if _, err := cu.NumDevices(); err == nil {
		t.Error("a function of the driver works before it is loaded")
	}
	t.Logf("reason: %v", Load())
}

func TestReason(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text.so")
	if err := os.WriteFile(text, []byte("no library"), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/nowhere/libcuda.so.1": "/nowhere/libcuda.so.1: cannot open shared object file",
		text:                    "text.so: ",
		"libm.so.6":             "it lacks cuInit",
	} {
		if out := in(t, path, "TestLoad"); !strings.Contains(out, "reason: no CUDA driver: ") || !strings.Contains(out, want) ||
			!strings.Contains(out, Variable) {
			t.Errorf("%s: got %q, want the reason %q and the variable", path, out, want)
		}
	}
}

func TestMissing(t *testing.T) {
	inside(t)
	if err := Load(); err != nil {
		t.Fatal(err)
	}
	if !Emulated() {
		t.Fatal("not the emulated driver")
	}
	_, err := cu.MemAllocManaged(4, cu.AttachGlobal)
	r, ok := Of(err)
	if !ok || r != notFound || !strings.Contains(r.Error(), "cuMemAllocManaged") {
		t.Errorf("a function that the driver lacks gives error %v (%v), want %v with its name", err, r, notFound)
	}
	// A function with more arguments than there are registers for.
	var c cu.Function
	if err := c.Launch(1, 1, 1, 1, 1, 1, 0, cu.Stream{}, nil); err == nil {
		t.Error("a launch without a context works")
	}
}

// A function that the driver lacks is an error when it is called.
func TestMissingFunction(t *testing.T) {
	path, err := filepath.Abs("../../../.tools/emu/libcuda-emu.so")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("the emulated driver is not built; run make -C kernels emu")
	}
	if out := in(t, path, "TestMissing"); !strings.Contains(out, "--- PASS: TestMissing") {
		t.Error(out)
	}
}

func TestNoGPU(t *testing.T) {
	path, err := filepath.Abs("../../../.tools/emu/libcuda-emu.so")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("the emulated driver is not built; run make -C kernels emu")
	}
	t.Setenv("CNNCTL_EMU_DEVICES", "0")
	if out := in(t, path, "TestLoad"); !strings.Contains(out, "CUDA_ERROR_NO_DEVICE (100)") {
		t.Errorf("got %q, want the driver's name of the error", out)
	}
}
