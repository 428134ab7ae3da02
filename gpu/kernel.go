//go:build cuda && cgo && linux

package gpu

import (
	"errors"
	"fmt"

	"github.com/cnnctl/cnnctl/gpu/internal/driver"
	"github.com/cnnctl/cnnctl/kernels"
	"gorgonia.org/cu"
)

// A kernel is a function on the device with what the compiler says about it.
type kernel struct {
	name      string
	fn        cu.Function
	threads   int   // of a block, at most: its launch bound
	registers int   // of a thread
	params    []int // sizes in bytes; nil where the driver cannot tell
	shared    int   // dynamic shared memory that has been allowed, bytes
}

// module returns a loaded family of kernels.
func (d *Device) module(family string) (cu.Module, error) {
	if m, ok := d.modules[family]; ok {
		return m, nil
	}
	image := family // the emulated driver has the kernels built in, and takes their name
	if !driver.Emulated() {
		b, err := kernels.FatBinary(family)
		if err != nil {
			return cu.Module{}, fmt.Errorf("cuda: %w", err)
		}
		image = string(b)
	}
	m, err := cu.LoadData(image)
	if err != nil {
		err = d.check("loading the kernels "+family, err)
		var e *Error
		if errors.As(err, &e) && (e.Code == noBinary || e.Code == unsupportedPTX || e.Code == noJIT) {
			return m, fmt.Errorf("%w: no compiled kernel fits %v; build with make ARCHS=%d%d: %w", ErrNoDevice, d.info, d.info.Major, d.info.Minor, err)
		}
		return m, err
	}
	d.modules[family] = m
	return m, nil
}

// The codes with which the driver says that a fat binary holds nothing for this GPU.
const (
	noBinary       = 209 // CUDA_ERROR_NO_BINARY_FOR_GPU
	noJIT          = 221 // CUDA_ERROR_JIT_COMPILER_NOT_FOUND
	unsupportedPTX = 222 // CUDA_ERROR_UNSUPPORTED_PTX_VERSION
)

// kernel returns the kernel of that name, with the whole name of its family.
func (d *Device) kernel(family, name string) (*kernel, error) {
	if k, ok := d.kernels[name]; ok {
		return k, nil
	}
	m, err := d.module(family)
	if err != nil {
		return nil, err
	}
	k := &kernel{name: name, shared: 48 << 10}
	if k.fn, err = m.Function(name); err != nil {
		return nil, d.check(fmt.Sprintf("looking up kernel %s of %s.cu", name, family), err)
	}
	for _, a := range []struct {
		value     *int
		attribute cu.FunctionAttribute
	}{{&k.threads, cu.FnMaxThreadsPerBlock}, {&k.registers, cu.NumRegs}} {
		if *a.value, err = k.fn.Attribute(a.attribute); err != nil {
			return nil, d.check("inspecting kernel "+name, err)
		}
	}
	if sizes, ok := driver.ParamSizes(k.fn); ok {
		k.params = append([]int{}, sizes...)
	}
	d.kernels[name] = k
	return k, nil
}

// allowShared makes sure that k may be launched with that much dynamic shared memory.
func (d *Device) allowShared(k *kernel, bytes int) error {
	if bytes <= k.shared {
		return nil
	}
	if err := driver.AllowShared(k.fn, bytes); err != nil {
		return d.check(fmt.Sprintf("allowing %d bytes of shared memory for %s", bytes, k.name), err)
	}
	k.shared = bytes
	return nil
}
