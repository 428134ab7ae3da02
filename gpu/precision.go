//go:build cuda && cgo && linux

package gpu

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// lacks returns an error if c is a product in a precision that this device has no kernels for.
func lacks(c device.Call) error {
	switch c.(type) {
	case device.Gemm, device.ConvForward, device.ConvBackwardData, device.ConvBackwardFilter:
		if p := device.Needs(c); p != device.FP32 {
			return fmt.Errorf("cuda: %w: %T in %v; use --precision fp32", device.ErrUnsupported, c, p)
		}
	}
	return nil
}
