package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cnnctl/cnnctl/cpu"
	"github.com/cnnctl/cnnctl/device"
)

// errNoDevice marks a device that this machine or this binary does not have.
var errNoDevice = errors.New("no such device")

// openDevice opens the device that a --device flag names. This is the only place that knows concrete devices.
func openDevice(name string) (device.Device, error) {
	switch {
	case name == "auto" || name == "cpu":
		return cpu.New(0), nil
	case name == "cuda" || strings.HasPrefix(name, "cuda:"):
		return nil, fmt.Errorf("--device %s: %w: this binary has the CPU device only; use --device cpu", name, errNoDevice)
	}
	return nil, usageError{fmt.Errorf("--device %q, wanted auto, cpu, cuda or cuda:N", name)}
}
