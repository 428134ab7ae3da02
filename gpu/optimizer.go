//go:build cuda && cgo && linux

package gpu

import (
	"encoding/binary"
	"math"

	"github.com/cnnctl/cnnctl/device"
	"gorgonia.org/cu"
)

// pieceLen is the number of elements that one block of optimizer.cu updates: four for each of its threads, four times. It is a multiple of 4,
// so that the pieces of an aligned segment are aligned.
const pieceLen = 4096

// pieces encodes the segments of a slab as the kernels' struct Piece, cut into runs of at most pieceLen elements.
func pieces(segments []device.Segment) (table []byte, count int) {
	for _, s := range segments {
		for lo := 0; lo < s.Len; lo += pieceLen {
			table = binary.LittleEndian.AppendUint64(table, uint64(s.Off+lo))
			table = binary.LittleEndian.AppendUint32(table, uint32(min(pieceLen, s.Len-lo)))
			table = binary.LittleEndian.AppendUint32(table, math.Float32bits(s.LRScale))
			table = binary.LittleEndian.AppendUint32(table, math.Float32bits(s.Decay))
			table = binary.LittleEndian.AppendUint32(table, 0)
			count++
		}
	}
	return table, count
}

// update launches an optimiser's kernel. Its arguments are the common ones, the slabs of its state, and the rest.
func (b *binder) update(name string, u device.Update, state []device.Mem, rest ...any) {
	w, g := b.mem(u.W), b.mem(u.G)
	slabs := []cu.DevicePtr{w, g}
	for _, m := range state {
		slabs = append(slabs, b.mem(m))
	}
	norm, hyper := b.mem(u.Norm), b.mem(u.Hyper)
	table, count := pieces(u.Segments)
	if count == 0 { // everything is frozen
		return
	}
	args := []any{w, g, b.constant(table), norm, hyper, u.MaxNorm, boolArg(aligned(slabs...))}
	for _, p := range slabs[2:] {
		args = append(args, p)
	}
	b.launch("optimizer", name, grid{x: count}, append(args, rest...)...)
}

func bindSGD(b *binder, s device.SGD) {
	if s.V.IsZero() {
		b.update("sgd_f32", s.Update, nil)
	} else {
		b.update("sgd_momentum_f32", s.Update, []device.Mem{s.V}, boolArg(s.Nesterov))
	}
}

func bindAdamW(b *binder, a device.AdamW) {
	b.update("adamw_f32", a.Update, []device.Mem{a.M, a.V}, a.Beta2, a.Eps)
}

func bindRMSprop(b *binder, r device.RMSprop) {
	if r.V.IsZero() {
		b.update("rmsprop_f32", r.Update, []device.Mem{r.S}, r.Alpha, r.Eps)
	} else {
		b.update("rmsprop_momentum_f32", r.Update, []device.Mem{r.S, r.V}, r.Alpha, r.Eps)
	}
}

func bindRecord(b *binder, r device.Record) {
	b.launch("optimizer", "record", grid{}, b.mem(r.Log), b.mem(r.Halt), b.mem(r.Norm), b.mem(r.Stats), b.mem(r.Hyper), int32(r.Slots))
}

func bindEMA(b *binder, e device.EMA) {
	avg, w := b.mem(e.E), b.mem(e.W)
	b.launch("optimizer", "ema_f32", b.stride(ceilDiv(int64(e.N), 4), 256), avg, w, int64(e.N), b.mem(e.Hyper), boolArg(aligned(avg, w)))
}
