package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/data/loader"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/gpu"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/onnx"
	"github.com/cnnctl/cnnctl/pretrained"
	"github.com/cnnctl/cnnctl/train"
	"github.com/spf13/cobra"
)

// The exit codes, as `cnnctl help exit-codes` documents them.
const (
	exitDone      = 0
	exitInternal  = 1
	exitUsage     = 2
	exitData      = 3
	exitRun       = 4
	exitIO        = 5
	exitDevice    = 6
	exitDiverged  = 7
	exitInterrupt = 130 // 128 + SIGINT
	exitTerminate = 143 // 128 + SIGTERM
)

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: `cnnctl ends with one of these exit codes:

    0  done
    1  internal error: a bug in cnnctl
    2  usage: an unknown command, flag or value
    3  bad input data: absent, corrupt, truncated, or not in a known layout
    4  checkpoint or run directory: damaged, of another model, or in use
    5  input/output: a file that cannot be read or written, full or read-only disk, weights that cannot be
     fetched
    6  device: none of that kind, not enough memory, an operation it lacks, a failure
    7  training diverged: the loss or a gradient is no longer a number
  130  stopped by Ctrl-C, after saving
  143  stopped by SIGTERM, after saving`,
	}
}

// usageError marks errors of the command line.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// exitCode maps an error to the exit code.
func exitCode(ctx context.Context, err error) int {
	var usage usageError
	var memory *device.OutOfMemoryError
	var driver *gpu.Error
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	var path *fs.PathError
	var errno syscall.Errno
	switch {
	case is(train.ErrInterrupted, context.Canceled):
		return signalCode(ctx)
	case is(train.ErrDiverged):
		return exitDiverged
	case errors.As(err, &memory), errors.As(err, &driver), is(device.ErrUnsupported, gpu.ErrNoDevice):
		return exitDevice
	case is(data.ErrCorrupt, data.ErrFormat, augment.ErrSize, errNoImage):
		return exitData
	case is(train.ErrRun, train.ErrWeights, checkpoint.ErrCorrupt, checkpoint.ErrFormat, checkpoint.ErrNoTensor, checkpoint.ErrNoDigests,
		onnx.ErrUnsupported):
		return exitRun
	case is(checkpoint.ErrDiskFull, checkpoint.ErrReadOnly, pretrained.ErrUnavailable):
		return exitIO
	case errors.As(err, &usage), is(train.ErrConfig, loader.ErrConfig, augment.ErrConfig, data.ErrOption, graph.ErrShape, pretrained.ErrNone):
		return exitUsage
	case is(device.ErrGeometry) && !is(device.ErrOperand): // sizes beyond what a device can address
		return exitUsage
	case errors.As(err, &path), errors.As(err, &errno), is(fs.ErrNotExist, fs.ErrPermission):
		return exitIO
	}
	return exitInternal
}

// message says in one line what has ended the process.
func message(ctx context.Context, err error) string {
	if err == context.Canceled { // and nothing else went wrong
		return fmt.Sprintf("%v; there was nothing to save", context.Cause(ctx))
	}
	return oneLine(err)
}

// oneLine joins the lines of an error.
func oneLine(err error) string {
	var lines []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}
