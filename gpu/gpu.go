// Package gpu is the CUDA device: NVIDIA GPUs of compute capability 8.0 and up, with the kernels of package kernels.
//
// It needs the build tag cuda, cgo and the headers of a CUDA toolkit (scripts/install-cuda.sh). Without the tag the package has the same
// functions, which say so. With it, the program still starts and works on machines without a driver.
//
// A call becomes a list of kernel launches when it is bound; arguments and geometry are fixed then, and a step only puts
// the launches on the device's stream. Sums are taken in an order that depends on
// the geometry alone, but for products and convolutions, where it depends on the GPU's number of multiprocessors too: the same GPU gives the same bits.
package gpu

import (
	"errors"
	"fmt"
)

// ErrNoDevice says that there is no GPU to use, or no way to use it. The text around it gives the reason and the remedy.
var ErrNoDevice = errors.New("no usable CUDA device")

// ErrDriver marks a driver that is there and does not work. Errors that it marks are ErrNoDevice, too.
var ErrDriver = errors.New("unusable driver")

// ErrLost marks errors after which nothing works any more on the GPU in this process, such as an access outside of its memory or
// a memory error that ECC cannot correct. What is on the device must not be saved.
var ErrLost = errors.New("the CUDA context is lost")

// An Option changes how a device works.
type Option int

// NoGraph makes Capture record nothing: a replay then does the steps one by one.
const NoGraph Option = 1

// Error is an error that the driver reported.
type Error struct {
	Op   string // what was being done
	Code int    // CUresult
	Name string // such as CUDA_ERROR_ILLEGAL_ADDRESS
	Text string // the driver's words
}

func (e *Error) Error() string {
	lost := ""
	if e.Unwrap() != nil {
		lost = "; " + ErrLost.Error() + ", end the program and start again from the last checkpoint"
	}
	return fmt.Sprintf("cuda: %s: %s (%d): %s%s", e.Op, e.Name, e.Code, e.Text, lost)
}

// Unwrap returns ErrLost if the error is one that the context does not survive, by the documentation of CUresult.
func (e *Error) Unwrap() error {
	switch e.Code {
	case 214, // ECC_UNCORRECTABLE
		220,                // NVLINK_UNCORRECTABLE
		226,                // CONTAINED
		700,                // ILLEGAL_ADDRESS
		702,                // LAUNCH_TIMEOUT
		710,                // ASSERT
		714, 715, 716, 717, // HARDWARE_STACK_ERROR, ILLEGAL_INSTRUCTION, MISALIGNED_ADDRESS, INVALID_ADDRESS_SPACE
		718, 719, // INVALID_PC, LAUNCH_FAILED
		721: // TENSOR_MEMORY_LEAK
		return ErrLost
	}
	return nil
}

// Info describes a GPU.
type Info struct {
	Index           int
	Name            string
	Major, Minor    int // compute capability
	Multiprocessors int
	SharedMemory    int   // of a multiprocessor, bytes
	Memory          int64 // bytes
	Driver          int   // the CUDA version that the driver supports: 12040 for 12.4
}

func (i Info) String() string {
	return fmt.Sprintf("cuda:%d %s (compute capability %d.%d, %d multiprocessors, %.1f GiB, driver for CUDA %d.%d)",
		i.Index, i.Name, i.Major, i.Minor, i.Multiprocessors, float64(i.Memory)/(1<<30), i.Driver/1000, i.Driver%1000/10)
}
