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

// rows launches the variant of a kernel that its operands allow: four channels a thread where they lie at multiples of 16 bytes and
// the rows do too, else one. Blocks cover `rows` rows of c channels; the last argument before rest is the number of threads of a row.
func (b *binder) rows(family, name string, rows, c int, operands []cu.DevicePtr, head []any, rest ...any) {
	items := int64(c)
	if c%4 == 0 && aligned(operands...) {
		name, items = name+"_x4", items/4
	}
	lanes := min(32, nextPowerOfTwo(items))
	across := min(ceilDiv(items, lanes), 65535)
	g := b.stride(int64(rows)*lanes, rowThreads)
	fill := b.stride(int64(rows)*lanes*across, rowThreads)
	g.x, g.y = max(1, min(g.x, int(ceilDiv(int64(fill.x), across)))), int(across)
	args := make([]any, 0, len(operands)+len(head)+1+len(rest))
	for _, p := range operands {
		args = append(args, p)
	}
	args = append(append(append(args, head...), int32(lanes)), rest...)
	b.launch(family, name, g, args...)
}
