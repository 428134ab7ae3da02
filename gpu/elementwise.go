//go:build cuda && cgo && linux

package gpu

import (
	"math/bits"

	"github.com/cnnctl/cnnctl/device"
	"gorgonia.org/cu"
)

// elementwiseThreads is the block size of elementwise.cu.
const elementwiseThreads = 256

// elementwise launches the variant of a kernel that its operands allow: a vector of 16 bytes a thread where they lie at multiples of
// that, else one element.
func (b *binder) elementwise(name string, t device.Type, n int, operands []cu.DevicePtr, rest ...any) {
	args := make([]any, 0, len(operands)+1+len(rest))
	for _, p := range operands {
		args = append(args, p)
	}
	args = append(append(args, int64(n)), rest...)
	if name += stored(t); aligned(operands...) {
		b.launch("elementwise", name+wide(t), b.stride(ceilDiv(int64(n), width(t)), elementwiseThreads), args...)
	} else {
		b.launch("elementwise", name, b.stride(int64(n), elementwiseThreads), args...)
	}
}

func bindFill(b *binder, f device.Fill) {
	b.elementwise("fill", f.Type, f.N, []cu.DevicePtr{b.mem(f.Y)}, f.Value)
}

func bindActForward(b *binder, f device.ActForward) {
	b.elementwise("act_forward", f.Type, f.N, []cu.DevicePtr{b.mem(f.Y), b.mem(f.X)}, int32(f.Act))
}

func bindActBackward(b *binder, g device.ActBackward) {
	b.elementwise("act_backward", g.Type, g.N, []cu.DevicePtr{b.mem(g.DX), b.mem(g.DY), b.mem(g.Y)}, int32(g.Act), boolArg(g.Accumulate))
}

func bindAdd(b *binder, a device.Add) {
	b.elementwise("add", a.Type, a.N, []cu.DevicePtr{b.mem(a.Y), b.mem(a.A), b.mem(a.B)}, int32(a.Act))
}

// bindCast launches a kernel that is named by the type of its result. Both operands come in vectors of 8 elements.
func bindCast(b *binder, c device.Cast) {
	y, x := b.mem(c.Y), b.mem(c.X)
	name, items := "cast"+stored(c.To), int64(c.N)
	if aligned(x, y) {
		name, items = name+wide(device.BFloat16), ceilDiv(items, width(device.BFloat16))
	}
	b.launch("elementwise", name, b.stride(items, elementwiseThreads), y, x, int64(c.N))
}

func bindCopy(b *binder, c device.Copy) {
	src, dst := b.mem(c.Src), b.mem(c.Dst)
	if c.InPlace() {
		return
	}
	rows, cols, from, to := int64(c.Rows), int64(c.Cols), int64(c.SrcStride), int64(c.DstStride)
	if from == cols && to == cols { // dense: one long row
		rows, cols, from, to = 1, rows*cols, rows*cols, rows*cols
	}
	name, items, w := "copy"+stored(c.Type), cols, width(c.Type) // items of a row
	if aligned(src, dst) && cols%w == 0 && (rows == 1 || from%w == 0 && to%w == 0) {
		name, items = name+wide(c.Type), cols/w
	}
	lanes := min(elementwiseThreads, nextPowerOfTwo(items))
	g := b.stride(rows*lanes, elementwiseThreads)
	// Long rows are cut where the rows alone do not fill the GPU.
	whole := b.stride(rows*items, elementwiseThreads).x
	g.y = int(min(ceilDiv(items, lanes), max(1, int64(whole/g.x)), 65535))
	b.launch("elementwise", name, g, dst, src, rows, cols, to, from, int32(lanes), boolArg(c.Accumulate))
}

// nextPowerOfTwo returns the smallest power of two that is at least n.
func nextPowerOfTwo(n int64) int64 { return 1 << bits.Len64(uint64(n-1)) }

func bindDropout(b *binder, d device.Dropout) {
	x, y := b.mem(d.X), b.mem(d.Y)
	key := d.Key()
	b.launch("elementwise", "dropout"+stored(d.Type), b.stride(ceilDiv(int64(d.N), width(d.Type)), elementwiseThreads),
		y, x, int64(d.N), b.mem(d.Hyper), key[0], key[1], d.Layer, d.Threshold(), 1/(1-d.P), boolArg(d.Accumulate), boolArg(aligned(x, y)))
}
