//go:build cuda && cgo && linux

package gpu

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
	"gorgonia.org/cu"
)

// rowThreads is the block size of the kernels that loop over rows with for_each_row of rows.cuh.
const rowThreads = 256

// maxIndex bounds what those kernels count in 32 bits: channels, pixels of all images, and positions of windows.
const maxIndex = 1 << 30

func (b *binder) geometry(format string, args ...any) {
	b.fail(fmt.Errorf("cuda: %T: %w: %s", b.call, device.ErrGeometry, fmt.Sprintf(format, args...)))
}

// channels returns a number of channels as a kernel's argument.
func (b *binder) channels(c int) int32 {
	if c > maxIndex {
		b.geometry("%d channels, wanted at most %d", c, maxIndex)
		return 0
	}
	return int32(c)
}

// rows launches the variant of a kernel that its operands allow: 16 bytes of channels a thread where they lie at multiples of that and
// the rows do too, else one channel. The kernel's parameters are the operands, head, the number of threads that share a row, and rest.
func (b *binder) rows(family, name string, t device.Type, rows, c int, operands []cu.DevicePtr, head []any, rest ...any) {
	if w := int(width(t)); c%w == 0 && aligned(operands...) {
		b.launchRows(family, name+stored(t)+wide(t), rows, c/w, operands, head, rest...)
	} else {
		b.launchRows(family, name+stored(t), rows, c, operands, head, rest...)
	}
}

// launchRows launches a kernel with a thread for each of `items` parts of each row, up to the number that fills the GPU.
func (b *binder) launchRows(family, name string, rows, items int, operands []cu.DevicePtr, head []any, rest ...any) {
	lanes := min(32, nextPowerOfTwo(int64(items)))
	across := min(ceilDiv(int64(items), lanes), 65535)
	down := ceilDiv(int64(rows), rowThreads/lanes)
	fill := int64(b.stride(int64(rows)*lanes*across, rowThreads).x)
	g := grid{x: int(max(1, min(down, ceilDiv(fill, across)))), y: int(across)}
	var args []any
	for _, p := range operands {
		args = append(args, p)
	}
	args = append(append(append(args, head...), int32(lanes)), rest...)
	b.launch(family, name, g, args...)
}
