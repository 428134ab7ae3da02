package cpu

import (
	"testing"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/device/devicetest"
)

func TestConformance(t *testing.T) {
	devicetest.Run(t, func(testing.TB) device.Device { return New(2) }, devicetest.Options{})
}
