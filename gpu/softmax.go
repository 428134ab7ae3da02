//go:build cuda && cgo && linux

package gpu

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// rowsPerBlock is the number of rows that a block of softmax.cu takes, one for each of its warps.
const rowsPerBlock = 4

// rowGrid returns the grid for a warp on each row. It fails if there are more classes than a row's index can count.
func (b *binder) rowGrid(rows, classes int) grid {
	if classes > math.MaxInt32-32 {
		b.operand("%d classes, wanted at most %d", classes, math.MaxInt32-32)
	}
	return grid{x: int(ceilDiv(int64(rows), rowsPerBlock))}
}

func bindSoftmax(b *binder, s device.Softmax) {
	b.launch("softmax", "softmax"+stored(s.Type), b.rowGrid(s.Rows, s.Classes), b.mem(s.Y), b.mem(s.X), int64(s.Rows), int32(s.Classes))
}

func bindSoftmaxBackward(b *binder, s device.SoftmaxBackward) {
	b.launch("softmax", "softmax_backward"+stored(s.Type), b.rowGrid(s.Rows, s.Classes),
		b.mem(s.DX), b.mem(s.Y), b.mem(s.DY), int64(s.Rows), int32(s.Classes), boolArg(s.Accumulate))
}

// bindCrossEntropy needs two or three launches: every gradient is divided by the number of rows that count.
func bindCrossEntropy(b *binder, s device.SoftmaxCrossEntropy) {
	b.workspace(s.Workspace)
	rows, classes, g := int64(s.Rows), int32(s.Classes), b.rowGrid(s.Rows, s.Classes)
	loss, logSum, top, rank := b.scratch(8*rows), b.scratch(8*rows), b.scratch(4*rows), b.scratch(4*rows)
	logits, targets, stats := b.mem(s.Logits), b.mem(s.Targets), b.mem(s.Stats)
	smooth, uniform := 1-s.Smoothing, s.Smoothing/float32(s.Classes)
	b.launch("softmax", "cross_entropy_rows"+stored(s.Type), g, loss, logSum, top, rank, logits, targets, rows, classes, smooth, uniform)
	b.launch("softmax", "cross_entropy_stats", grid{}, stats, loss, rank, rows)
	if !s.DLogits.IsZero() {
		b.launch("softmax", "cross_entropy_gradient"+stored(s.Type), g,
			b.mem(s.DLogits), logits, targets, stats, logSum, top, rank, rows, classes, smooth, uniform)
	}
}
