package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/cnnctl/cnnctl/cpu"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/gpu"
	"github.com/spf13/pflag"
)

// winogradUsage describes --winograd.
const winogradUsage = "convolutions by minimal filtering on the CPU: auto, off, f2 or f4"

// openDevice opens the device that a --device flag names; --winograd says which convolutions a CPU computes by minimal filtering. This file and
// devices.go are the only places that know concrete devices.
func openDevice(name, winograd string, options ...gpu.Option) (device.Device, error) {
	minimal, err := cpu.ParseWinograd(winograd)
	if err != nil {
		return nil, usageError{fmt.Errorf("--%w", err)}
	}
	index, numbered := strings.CutPrefix(name, "cuda:")
	switch {
	case name == "auto":
		if d := firstGPU(options); d != nil {
			return d, nil
		}
		return openCPU(minimal), nil
	case name == "cpu":
		return openCPU(minimal), nil
	case name == "cuda":
		return openGPU(name, 0, options)
	case numbered:
		if i, err := strconv.ParseUint(index, 10, 16); err == nil {
			return openGPU(name, int(i), options)
		}
	}
	return nil, usageError{fmt.Errorf("--device %q, wanted auto, cpu, cuda or cuda:N", name)}
}

func openCPU(w cpu.Winograd) device.Device {
	d := cpu.New(0)
	d.SetWinograd(w)
	return d
}

func openGPU(name string, index int, options []gpu.Option) (device.Device, error) {
	d, err := gpu.Open(index, options...)
	if err != nil {
		return nil, fmt.Errorf("--device %s: %w; or use --device cpu", name, err)
	}
	return d, nil
}

// firstGPU returns the first GPU that can be used, or nil. Where there are GPUs or a driver, and none works, it says why in one line: a training that
// is slow for no visible reason is worse than one that fails.
func firstGPU(options []gpu.Option) device.Device {
	list, err := gpu.List()
	if err != nil && !errors.Is(err, gpu.ErrDriver) {
		return nil // there is none
	}
	for _, g := range list {
		d, e := gpu.Open(g.Index, options...)
		if e == nil {
			return d
		}
		err = errors.Join(err, e)
	}
	fmt.Fprintf(os.Stderr, "cnnctl: note: --device auto takes the CPU: %s\n", oneLine(err))
	return nil
}

// graphFlag defines --no-cuda-graph. The options that it returns are those of the device, once the flags have been read.
func graphFlag(f *pflag.FlagSet) func() []gpu.Option {
	off := f.Bool("no-cuda-graph", false, "start each CUDA kernel of a step by itself, not all of them as one graph; the results are the same")
	return func() []gpu.Option {
		if *off {
			return []gpu.Option{gpu.NoGraph}
		}
		return nil
	}
}
