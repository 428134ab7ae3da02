//go:build cuda && cgo && linux

package gpu

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// lacks returns an error if c needs a precision that this device has no kernels for.
func lacks(c device.Call) error {
	switch p := device.Needs(c); p {
	case device.TF32, device.BF16:
		return fmt.Errorf("cuda: %w: %T in %v; use --precision fp32", device.ErrUnsupported, c, p)
	}
	return nil
}
