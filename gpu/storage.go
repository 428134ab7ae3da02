//go:build cuda && cgo && linux

package gpu

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// Kernels have a variant for each type of stored activations: act_forward_f32, act_forward_bf16. Those that move vectors of 16 bytes have
// another suffix behind that, with the number of elements: act_forward_bf16_x8. See FOR_EACH_STORAGE of kernels/vector.cuh.

// stored returns the suffix of a type.
func stored(t device.Type) string {
	if t == device.BFloat16 {
		return "_bf16"
	}
	return "_f32"
}

// width returns the elements of 16 bytes.
func width(t device.Type) int64 { return 16 / t.Size() }

// wide returns the suffix of the variant that moves 16 bytes.
func wide(t device.Type) string { return fmt.Sprintf("_x%d", width(t)) }
