//go:build cuda && cgo && linux

package gpu

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/gpu/internal/driver"
)

// noDriver says why there is nothing to test on.
var noDriver string

// The tests run on the driver that CNNCTL_CUDA_DRIVER names: libcuda.so.1 for a real GPU. Where it is not set they build the emulated
// driver and use that.
func TestMain(m *testing.M) {
	if os.Getenv(driver.Variable) == "" {
		if path, err := buildEmulator(); err != nil {
			noDriver = err.Error()
		} else {
			os.Setenv(driver.Variable, path)
		}
	}
	os.Exit(m.Run())
}

func buildEmulator() (string, error) {
	for _, tool := range []string{"g++", "make"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", fmt.Errorf("the emulated CUDA driver needs %s to be built: %w", tool, err)
		}
	}
	path, err := filepath.Abs("../.tools/emu/libcuda-emu.so")
	if err != nil {
		return "", err
	}
	if out, err := exec.Command("make", "-C", "../kernels", "emu", "EMU="+path).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the emulated CUDA driver: %v\n%s", err, out)
		os.Exit(1)
	}
	return path, nil
}

// open returns GPU 0. It skips the test where there is no driver.
func open(t testing.TB) *Device {
	t.Helper()
	if noDriver != "" {
		t.Skip(noDriver)
	}
	d, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	return d.(*Device)
}

// emulated skips tests that need the emulated driver's environment variables, and sets one of them.
func emulated(t *testing.T, variable, value string) {
	t.Helper()
	if noDriver != "" {
		t.Skip(noDriver)
	}
	if err := driver.Load(); err != nil {
		t.Fatal(err)
	}
	if !driver.Emulated() {
		t.Skip("needs the emulated driver")
	}
	t.Setenv(variable, value)
}

// alloc allocates n floats.
func alloc(t testing.TB, d *Device, n int) device.Mem {
	t.Helper()
	m, err := d.Alloc(4 * int64(n))
	if err != nil {
		t.Fatal(err)
	}
	return m
}
