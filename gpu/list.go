//go:build cuda && cgo && linux

package gpu

import (
	"errors"
	"fmt"

	"github.com/cnnctl/cnnctl/gpu/internal/driver"
	"gorgonia.org/cu"
)

// List returns the GPUs that the driver offers, or why there is none.
func List() ([]Info, error) {
	if err := driver.Load(); err != nil {
		if errors.Is(err, driver.ErrBroken) {
			return nil, fmt.Errorf("%w: %w: %w", ErrNoDevice, ErrDriver, err)
		}
		return nil, fmt.Errorf("%w: %w", ErrNoDevice, err)
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, wrap("counting the GPUs", err)
	}
	if n == 0 {
		return nil, fmt.Errorf("%w: the driver sees no GPU; check CUDA_VISIBLE_DEVICES", ErrNoDevice)
	}
	list := make([]Info, n)
	for i := range list {
		if list[i], err = inspect(i); err != nil {
			return nil, wrap(fmt.Sprintf("inspecting GPU %d", i), err)
		}
	}
	return list, nil
}

// inspect asks the driver about one GPU.
func inspect(index int) (Info, error) {
	i := Info{Index: index, Driver: cu.Version()}
	d, err := cu.GetDevice(index)
	if err != nil {
		return i, err
	}
	if i.Name, err = d.Name(); err != nil {
		return i, err
	}
	if i.Memory, err = d.TotalMem(); err != nil {
		return i, err
	}
	for _, a := range []struct {
		value     *int
		attribute cu.DeviceAttribute
	}{{&i.Major, cu.ComputeCapabilityMajor}, {&i.Minor, cu.ComputeCapabilityMinor}, {&i.Multiprocessors, cu.MultiprocessorCount},
		{&i.SharedMemory, cu.MaxSharedMemoryPerMultiprocessor}} {
		if *a.value, err = d.Attribute(a.attribute); err != nil {
			return i, err
		}
	}
	return i, nil
}
