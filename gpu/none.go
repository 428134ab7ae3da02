//go:build !cuda || !cgo || !linux

package gpu

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

var errNotBuilt = fmt.Errorf("%w: this program has no CUDA device; build it with make on Linux where CUDA's compiler, nvcc, is installed", ErrNoDevice)

// List returns the GPUs that the driver offers, or why there is none.
func List() ([]Info, error) { return nil, errNotBuilt }

// Open returns the GPU of that index. The error wraps ErrNoDevice if there is none.
func Open(int, ...Option) (device.Device, error) { return nil, errNotBuilt }

// Emulated reports whether the driver is the emulated one, whose times say nothing about a GPU.
func Emulated() bool { return false }
