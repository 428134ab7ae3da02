//go:build cuda && cgo && linux

package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
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
	cnnctl(t, work, append(args, "cpu", "--name", "cpu")...).want(t, exitDone, "Done")
	whole, stopped := stopAndResume(t, work, "lenet5", append(args, "cuda"))
	// Neither the graph nor the time at which copies and kernels happen leaves a trace.
	for i, c := range []struct {
		pace string // of the emulated driver
		more []string
	}{{"eager", []string{"--no-cuda-graph"}}, {"rash", nil}, {"rash", []string{"--no-cuda-graph"}}} {
		t.Setenv("CNNCTL_EMU_STREAMS", c.pace)
		cnnctl(t, work, append(append(args, "cuda"), c.more...)...).want(t, exitDone, "Done")
		sameRun(t, filepath.Join(work, "p", fmt.Sprint("lenet5-", 3+i)), whole)
	}

	onCPU := filepath.Join(work, "p", "cpu")
	sameLosses(t, whole, onCPU, 1e-5)
	cnnctl(t, work, "eval", "--run", stopped, "--device", "cuda:0").want(t, exitDone, "on 4 samples")

	// In other precisions too a run that is stopped and continued ends with the same bits, and its losses are near those in float32: within the rounding
	// of one factor of a product.
	for _, c := range []struct {
		precision string
		tolerance float64
	}{{"tf32", 1.0 / (1 << 11)}, {"bf16", 1.0 / (1 << 8)}} {
		whole, stopped := stopAndResume(t, work, c.precision, append(args, "cuda", "--precision", c.precision, "--name", c.precision))
		sameLosses(t, whole, onCPU, c.tolerance)
		cnnctl(t, work, "train", "--resume", stopped, "--precision", "fp32").want(t, exitUsage, "--precision")
		cnnctl(t, work, "eval", "--run", stopped, "--device", "cuda", "--precision", c.precision).want(t, exitDone, "on 4 samples")
	}
}

// stopAndResume trains, trains again, stops that and continues it, and wants the same of both.
func stopAndResume(t *testing.T, work, name string, args []string) (whole, stopped string) {
	t.Helper()
	cnnctl(t, work, args...).want(t, exitDone, "cuda:0", "Done")
	p := start(t, work, args...)
	p.await(1, "epoch")
	p.signal(syscall.SIGTERM)
	p.end().want(t, exitTerminate)
	whole, stopped = filepath.Join(work, "p", name), filepath.Join(work, "p", name+"-2")
	if n := len(results(t, stopped)); n >= len(results(t, whole)) {
		t.Fatalf("the run had %d rows of results when it was stopped: it is too short", n)
	}
	cnnctl(t, work, "train", "--resume", stopped).want(t, exitDone, "Resuming", "Done")
	sameRun(t, stopped, whole)
	return whole, stopped
}

// sameLosses compares the losses of the first two epochs of two runs; later, rounding has grown.
func sameLosses(t *testing.T, run, other string, tolerance float64) {
	t.Helper()
	a, b := results(t, run), results(t, other)
	for i := 1; i <= 2; i++ {
		for j, name := range a[0] {
			if !strings.HasSuffix(name, "loss") {
				continue
			}
			if got, want := number(t, a[i][j]), number(t, b[i][j]); math.Abs(got-want) > tolerance*want {
				t.Errorf("epoch %d: %s is %v in %s, wanted %v within %v of it", i, name, got, run, want, tolerance)
			}
		}
	}
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

// A training that does not fit is refused with the sizes and the batch size that does, and auto takes that.
func TestCUDAMemory(t *testing.T) {
	if !emulated(useDriver(t)) {
		t.Skip("needs the emulated driver's small memory")
	}
	work := t.TempDir()
	args := []string{"train", "lenet5", "--data", writeIDX(t, 256, 8, 28), "--epochs", "0", "--project", "p", "--device", "cuda"}
	t.Setenv("CNNCTL_EMU_MEMORY", strconv.Itoa(24<<20))
	r := cnnctl(t, work, append(args, "-b", "256")...).want(t, exitDevice, "Emulated GPU", "out of memory: wanted ", " are free", "--batch-size 256", "the largest batch size that fits is ")
	if dirs, err := os.ReadDir(filepath.Join(work, "p")); len(dirs) > 0 {
		t.Errorf("%v was made, %v", dirs, err)
	}
	_, after, _ := strings.Cut(r.err, "give --batch-size ")
	number, _, _ := strings.Cut(after, " ")
	cnnctl(t, work, append(args, "-b", number)...).want(t, exitDone, "batch size "+number)
	cnnctl(t, work, append(args, "-b", "auto")...).want(t, exitDone, "initial weights")
	if yaml := string(read(t, filepath.Join(work, "p", "lenet5-2", "args.yaml"))); !regexp.MustCompile(`(?m)^batch-size: [1-9][0-9]*$`).MatchString(yaml) {
		t.Errorf("args.yaml does not say the batch size:\n%s", yaml)
	}
	cnnctl(t, work, append(args, "-b", "some")...).want(t, exitUsage, "auto")
}

// The device is the one that was asked for, and one that cannot be used is named with the reason and the remedy.
func TestCUDADevices(t *testing.T) {
	if !emulated(useDriver(t)) {
		t.Skip("needs the emulated driver's other GPUs")
	}
	work := t.TempDir()
	args := []string{"train", "lenet5", "--data", writeIDX(t, 16, 8, 12), "--epochs", "0", "--project", "p", "--device"}
	t.Setenv("CNNCTL_EMU_DEVICES", "2")
	cnnctl(t, work, "devices").want(t, exitDone, "cuda:0 Emulated GPU (compute capability 8.0", "cuda:1 Emulated GPU")
	cnnctl(t, work, append(args, "cuda:1")...).want(t, exitDone, "device    cuda:1")
	cnnctl(t, work, append(args, "cuda:2")...).want(t, exitDevice, "cuda:2", "the 2 GPUs cuda:0 to cuda:1")
	cnnctl(t, work, append(args, "cuda:x")...).want(t, exitUsage, "cuda:N")
	if r := cnnctl(t, work, append(args, "auto")...).want(t, exitDone, "device    cuda:0"); strings.Contains(r.err, "note:") {
		t.Errorf("a remark without need: %s", r.err)
	}
	for _, c := range []struct{ variable, value, reason string }{
		{"CNNCTL_EMU_CAPABILITY", "75", "no compiled kernel fits cuda:0 Emulated GPU (compute capability 7.5"},
		{"CNNCTL_EMU_FAULT", "alloc:1=999,init:1=803", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			t.Setenv(c.variable, c.value)
			cnnctl(t, work, "devices").want(t, exitDone, c.reason)
			cnnctl(t, work, append(args, "cuda")...).want(t, exitDevice, c.reason)
			r := cnnctl(t, work, append(args, "auto")...).want(t, exitDone, "device    cpu", c.reason)
			if n := strings.Count(r.err, "note:"); n != 1 {
				t.Errorf("%d remarks, want one line that says why it is the CPU: %s", n, r.err)
			}
		})
	}
	t.Setenv("CNNCTL_EMU_DEVICES", "0") // nothing to remark: there is no GPU
	if r := cnnctl(t, work, append(args, "auto")...).want(t, exitDone, "device    cpu"); strings.Contains(r.err, "note:") {
		t.Errorf("a remark without need: %s", r.err)
	}
}

// Whatever fails and whenever, the run ends with the driver's name of the error and the documented code, nothing is saved from a context that is lost,
// and the run can be continued to the bits of one that did not fail.
func TestCUDAFaultsLeaveTheRunSound(t *testing.T) {
	if !emulated(useDriver(t)) {
		t.Skip("needs the emulated driver, which can be made to fail")
	}
	args := []string{"train", "lenet5", "--data", writeIDX(t, 4, 2, 12), "--epochs", "6", "-b", "2", "--project", "p", "--device", "cuda"}
	run := func() (work, dir string) {
		work = t.TempDir()
		return work, filepath.Join(work, "p", "lenet5")
	}
	work, whole := run()
	cnnctl(t, work, args...).want(t, exitDone, "Done")
	continued := 0
	for _, c := range []struct{ fault, name string }{
		{"alloc:3=2", "out of memory"}, {"alloc:5=700", "CUDA_ERROR_ILLEGAL_ADDRESS"},
		{"launch:2=719", "CUDA_ERROR_LAUNCH_FAILED"}, {"launch:64=701", "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"}, {"launch:71=700", "CUDA_ERROR_ILLEGAL_ADDRESS"},
		{"launch:80=716", "CUDA_ERROR_MISALIGNED_ADDRESS"}, {"copy:40=214", "CUDA_ERROR_ECC_UNCORRECTABLE"}, {"copy:60=700", "CUDA_ERROR_ILLEGAL_ADDRESS"},
		{"copy:75=1", "CUDA_ERROR_INVALID_VALUE"}, {"copy:90=719", "CUDA_ERROR_LAUNCH_FAILED"},
	} {
		work, dir := run()
		t.Setenv("CNNCTL_EMU_FAULT", c.fault)
		r := cnnctl(t, work, args...).want(t, exitDevice, c.name)
		t.Setenv("CNNCTL_EMU_FAULT", "")
		saved := stateFiles(t, dir)
		t.Logf("%s: %d states saved: %.160s", c.fault, len(saved), r.err[max(0, strings.LastIndex(r.err, "cnnctl: ")):])
		for _, file := range saved {
			openState(t, file)
		}
		if _, err := os.Stat(filepath.Join(dir, "args.yaml")); err != nil {
			continue // it failed before there was a run
		}
		if len(saved) > 0 {
			continued++
		}
		cnnctl(t, work, "train", "--resume", dir).want(t, exitDone, "Done")
		sameRun(t, dir, whole)
	}
	if continued < 3 {
		t.Errorf("%d runs failed after an epoch: the check shows little", continued)
	}
}

// The benchmarks work on CUDA, name what they compare with, and claim nothing for the emulated driver.
func TestCUDABench(t *testing.T) {
	label := "say nothing about a GPU"
	if !emulated(useDriver(t)) {
		label = ""
	}
	args := []string{"lenet5", "-b", "1", "--device", "cuda"}
	ops := cnnctl(t, t.TempDir(), append([]string{"bench", "ops", "--rounds", "1"}, args...)...).want(t, exitDone, "conv1", "ConvForward", "ConvBackwardFilter", "update",
		"TFLOP/s", "GB/s", "of roofline", "roofline: ", "in fp32", "by the architecture and its highest clocks", label)
	if strings.Contains(ops.out, "NaN") || strings.Contains(ops.out, "Inf") {
		t.Errorf("a figure is no number:\n%s", ops.out)
	}
	cnnctl(t, t.TempDir(), append([]string{"bench", "train", "--time", "1ms"}, args...)...).want(t, exitDone, "images/s", "of the architecture at its highest clocks", label)
}
