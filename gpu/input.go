//go:build cuda && cgo && linux

package gpu

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// inputThreads is the block size of input.cu.
const inputThreads = 256

func bindNormalize(b *binder, n device.Normalize) {
	if n.H*n.W > math.MaxInt32 || n.C > math.MaxInt32 {
		b.operand("images of %dx%dx%d, wanted at most %d pixels", n.H, n.W, n.C, math.MaxInt32)
		return
	}
	pixels := int64(n.H) * int64(n.W)
	g := b.stride(int64(n.N)*pixels, inputThreads)
	g.x = int(min(int64(g.x), ceilDiv(pixels, inputThreads)))
	g.y = min(n.N, 65535)
	b.launch("input", "normalize_u8_f32", g, b.mem(n.Y), b.mem(n.X), b.mem(n.Flip), b.mem(n.Table), int64(n.N), int32(pixels), int32(n.W), int32(n.C))
}
