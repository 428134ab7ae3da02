//go:build cuda && cgo && linux

package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// useDriver makes the processes that the test starts use a CUDA driver: the one that CNNCTL_CUDA_DRIVER names (libcuda.so.1 for a real GPU), else
// the emulated one. It returns the path.
func useDriver(t *testing.T) string {
	t.Helper()
	const variable = "CNNCTL_CUDA_DRIVER"
	if path := os.Getenv(variable); path != "" {
		return path
	}
	for _, tool := range []string{"g++", "make"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("building the emulated CUDA driver needs %s", tool)
		}
	}
	path, err := filepath.Abs("../../.tools/emu/libcuda-emu.so")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("make", "-C", "../../kernels", "emu", "EMU="+path).CombinedOutput(); err != nil {
		t.Fatalf("building the emulated CUDA driver: %v\n%s", err, out)
	}
	t.Setenv(variable, path)
	return path
}

func emulated(path string) bool { return filepath.Base(path) == "libcuda-emu.so" }

// A run on a GPU that is stopped and continued ends with the same bits as one that was left alone, and its numbers are the CPU's.
func TestTrainOnCUDA(t *testing.T) {
	epochs := "2"
	if !emulated(useDriver(t)) {
		epochs = "1000" // or it is over before the signal comes
	}
	work := t.TempDir()
	args := []string{"train", "lenet5", "--data", writeIDX(t, 8, 4, 12), "--epochs", epochs, "-b", "4", "--project", "p", "--device"}
	cnnctl(t, work, append(args, "cuda")...).want(t, exitDone, "cuda:0", "Done")
	cnnctl(t, work, append(args, "cpu", "--name", "cpu")...).want(t, exitDone, "Done")

	p := start(t, work, append(args, "cuda")...)
	p.await(1, "epoch")
	p.signal(syscall.SIGTERM)
	p.end().want(t, exitTerminate)
	whole, stopped := filepath.Join(work, "p", "lenet5"), filepath.Join(work, "p", "lenet5-2")
	if n := len(results(t, stopped)); n >= len(results(t, whole)) {
		t.Fatalf("the run had %d rows of results when it was stopped: it is too short", n)
	}
	cnnctl(t, work, "train", "--resume", stopped).want(t, exitDone, "Resuming", "Done")
	sameRun(t, stopped, whole)
	// Neither the graph nor the time at which copies and kernels happen leaves a trace.
	for i, c := range []struct {
		pace string // of the emulated driver
		more []string
	}{{"eager", []string{"--no-cuda-graph"}}, {"rash", nil}, {"rash", []string{"--no-cuda-graph"}}} {
		t.Setenv("CNNCTL_EMU_STREAMS", c.pace)
		cnnctl(t, work, append(append(args, "cuda"), c.more...)...).want(t, exitDone, "Done")
		sameRun(t, filepath.Join(work, "p", fmt.Sprint("lenet5-", 3+i)), whole)
	}

	gpu, cpu := results(t, whole), results(t, filepath.Join(work, "p", "cpu"))
	for i := 1; i <= 2; i++ { // later, rounding has grown
		for j, name := range cpu[0] {
			if !strings.HasSuffix(name, "loss") {
				continue
			}
			if got, want := number(t, gpu[i][j]), number(t, cpu[i][j]); math.Abs(got-want) > 1e-5*want {
				t.Errorf("epoch %d: %s is %v, on the CPU %v", i, name, got, want)
			}
		}
	}
	cnnctl(t, work, "eval", "--run", stopped, "--device", "cuda:0").want(t, exitDone, "on 4 samples")
}

// A device that is not there, and one that fails, end the process with a reason and the documented code.
func TestCUDAFailures(t *testing.T) {
	path := useDriver(t)
	data := writeIDX(t, 16, 8, 12)
	args := []string{"train", "lenet5", "--data", data, "--epochs", "1", "-b", "8", "--project", "p"}
	work := t.TempDir()
	cnnctl(t, work, "devices").want(t, exitDone, "cuda:0", "compute capability", "GiB", "driver for CUDA")
	cnnctl(t, work, append(args, "--device", "cuda:7")...).want(t, exitDevice, "cuda:7", "wanted one of the", "--device cpu")
	t.Run("no driver", func(t *testing.T) {
		t.Setenv("CNNCTL_CUDA_DRIVER", filepath.Join(work, "absent.so"))
		cnnctl(t, work, "devices").want(t, exitDone, "none", "absent.so")
		cnnctl(t, work, append(args, "--device", "cuda")...).want(t, exitDevice, "absent.so", "--device cpu")
		cnnctl(t, work, append(args, "--device", "auto", "--name", "auto")...).want(t, exitDone, "device    cpu", "Done")
	})
	if !emulated(path) {
		t.Skip("the rest needs the emulated driver, which can be made to fail")
	}
	for _, c := range []struct{ fault, text string }{
		{"alloc:1=2", "out of memory"},
		{"launch:20=700", "CUDA_ERROR_ILLEGAL_ADDRESS"},
		{"copy:3=719", "CUDA_ERROR_LAUNCH_FAILED"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Setenv("CNNCTL_EMU_FAULT", c.fault)
			dir := t.TempDir()
			cnnctl(t, dir, append(args, "--device", "cuda")...).want(t, exitDevice, c.text)
			if files := stateFiles(t, filepath.Join(dir, "p", "lenet5")); len(files) > 0 {
				t.Errorf("%v was saved from a context that is lost", files)
			}
		})
	}
}
