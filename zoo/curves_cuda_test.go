//go:build cuda && cgo && linux

package zoo_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cnnctl/cnnctl/gpu"
)

// The curve of LeNet-5 holds on CUDA too, with the tolerance of the CPU. Where CNNCTL_CUDA_DRIVER does not name a driver this is the emulated one, on
// which larger networks would take hours.
func TestTenStepsOnCUDAEqualPyTorch(t *testing.T) {
	const variable = "CNNCTL_CUDA_DRIVER"
	path := os.Getenv(variable)
	if path == "" {
		for _, tool := range []string{"g++", "make"} {
			if _, err := exec.LookPath(tool); err != nil {
				t.Skipf("building the emulated CUDA driver needs %s", tool)
			}
		}
		var err error
		if path, err = filepath.Abs("../.tools/emu/libcuda-emu.so"); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("make", "-C", "../kernels", "emu", "EMU="+path).CombinedOutput(); err != nil {
			t.Fatalf("building the emulated CUDA driver: %v\n%s", err, out)
		}
		t.Setenv(variable, path)
	}
	for _, c := range readCurves(t) {
		if c.Model != "lenet5" && filepath.Base(path) == "libcuda-emu.so" {
			continue
		}
		t.Run(c.Model, func(t *testing.T) {
			dev, err := gpu.Open(0)
			if err != nil {
				t.Fatal(err)
			}
			checkCurve(t, c, dev)
		})
	}
}
