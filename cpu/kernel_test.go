package cpu

import (
	"testing"

	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/device/devicetest"
)

// The kernels of every instruction set that this processor has pass the suite, not only those that it would choose.
func TestEveryInstructionSet(t *testing.T) {
	if !kernel.Available {
		t.Skip("built without cgo")
	}
	best := kernel.Name()
	defer kernel.Use(best)
	for _, name := range []string{"AVX2", "SSE2", "NEON", "portable"} {
		if name == best || !kernel.Use(name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			devicetest.Run(t, func(testing.TB) device.Device { return New(2) }, devicetest.Options{})
		})
	}
}
