package cpu

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
)

// A phase is a number of independent tasks; the phases of a step run one after another.
type phase struct {
	tasks int
	run   func(task, worker int)
}

// Bind implements device.Device.
func (d *Device) Bind(c device.Call) (device.Step, error) {
	if d.closed {
		return nil, errClosed
	}
	if c == nil {
		return nil, fmt.Errorf("cpu: %w: no call", device.ErrUnsupported)
	}
	if err := lacks(c); err != nil {
		return nil, err
	}
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	b := &binder{dev: d, call: c}
	phases := b.bind()
	if b.err != nil {
		return nil, b.err
	}
	if phases == nil {
		return nil, fmt.Errorf("cpu: %w: %T", device.ErrUnsupported, c)
	}
	return func() error {
		if d.closed {
			return errClosed
		}
		for i := range phases {
			d.crew.run(phases[i].tasks, phases[i].run)
		}
		return nil
	}, nil
}

// lacks returns an error if c needs a precision that this device has not.
func lacks(c device.Call) error {
	switch p := device.Needs(c); p {
	case device.TF32, device.BF16:
		return fmt.Errorf("cpu: %w: --precision %v needs a CUDA device; use --device cuda, or --precision fp32", device.ErrUnsupported, p)
	}
	return nil
}

// Workspace implements device.Workspacer. It is 0 for a call whose geometry is wrong: Bind reports that.
func (d *Device) Workspace(c device.WorkspaceCall) int64 {
	if c == nil || lacks(c) != nil {
		return 0
	}
	if err := c.Check(); err != nil && !errors.Is(err, device.ErrOperand) {
		return 0
	}
	b := &binder{dev: d, call: c, sizing: true}
	b.bind()
	used := b.used
	if kernel.Available && mayJoin(c) {
		b = &binder{dev: d, call: c, sizing: true}
		b.sampled()
		used = max(used, b.used)
	}
	return 4 * int64(used)
}

// A binder turns one call into phases. With sizing set it only adds up the scratch memory: operands and scratch are then nil,
// and the phases must not run. One code path for both keeps the size and its use in step.
type binder struct {
	dev    *Device
	call   device.Call
	sizing bool
	ws     []float32 // the call's workspace
	used   int       // words of it that are given out
	batch  int       // of a group: samples
	parts  int       // of a group: tasks
	err    error
}

func (b *binder) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf("cpu: %T: %w: %s", b.call, device.ErrOperand, fmt.Sprintf(format, args...))
	}
}

// mem returns the first n words of an operand, or nil if it is absent.
func (b *binder) mem(m device.Mem, n int) []float32 {
	if m.IsZero() || b.sizing {
		return nil
	}
	v, ok := b.dev.floats(m)
	if !ok || len(v) < n {
		b.fail("%+v does not lie in the memory of this device", m)
		return nil
	}
	return v[:n:n]
}

// workspace makes the call's workspace known to scratch. It comes before the first scratch.
func (b *binder) workspace(m device.Mem) {
	if !m.IsZero() && !b.sizing {
		v, ok := b.dev.floats(m)
		if !ok || m.Off%8 != 0 {
			b.fail("workspace %+v does not lie at a multiple of 8 in the memory of this device", m)
		}
		b.ws = v
	}
}

// line is the number of words to which scratch is rounded up, so that workers do not write to one cache line.
const line = device.Align / 4

// scratch returns n words of the workspace. Their contents are undefined.
func (b *binder) scratch(n int) []float32 {
	lo := b.used
	b.used += (n + line - 1) / line * line
	if b.sizing || b.err != nil {
		return nil
	}
	if b.used > len(b.ws) {
		b.fail("the workspace holds %d bytes, wanted at least %d: ask Workspace", 4*len(b.ws), 4*b.used)
		return nil
	}
	return b.ws[lo : lo+n : lo+n]
}

// perWorker returns n words of the workspace for each worker.
func (b *binder) perWorker(n int) [][]float32 {
	s := make([][]float32, b.dev.crew.size)
	for i := range s {
		s[i] = b.scratch(n)
	}
	return s
}

// doubles returns n float64s of the workspace.
func (b *binder) doubles(n int) []float64 {
	s := b.scratch(2 * n)
	if s == nil {
		return nil
	}
	return unsafe.Slice((*float64)(unsafe.Pointer(&s[0])), n)
}

func (b *binder) bind() []phase {
	switch c := b.call.(type) {
	case device.Gemm:
		return bindGemm(b, c)
	case device.ConvForward:
		return bindConvForward(b, c)
	case device.ConvBackwardData:
		return bindConvBackwardData(b, c)
	case device.ConvBackwardFilter:
		return bindConvBackwardFilter(b, c)
	case device.BiasGrad:
		return bindBiasGrad(b, c)
	case device.MaxPoolForward:
		return bindMaxPoolForward(b, c)
	case device.MaxPoolBackward:
		return bindMaxPoolBackward(b, c)
	case device.AvgPoolForward:
		return bindAvgPoolForward(b, c)
	case device.AvgPoolBackward:
		return bindAvgPoolBackward(b, c)
	case device.AdaptiveAvgPoolForward:
		return bindAdaptiveForward(b, c)
	case device.AdaptiveAvgPoolBackward:
		return bindAdaptiveBackward(b, c)
	case device.ActForward:
		return bindActForward(b, c)
	case device.ActBackward:
		return bindActBackward(b, c)
	case device.Add:
		return bindAdd(b, c)
	case device.Copy:
		return bindCopy(b, c)
	case device.Fill:
		return bindFill(b, c)
	case device.Dropout:
		return bindDropout(b, c)
	case device.BatchNormForward:
		return bindBatchNormForward(b, c)
	case device.BatchNormInference:
		return bindBatchNormInference(b, c)
	case device.BatchNormBackward:
		return bindBatchNormBackward(b, c)
	case device.BatchNormFrozenBackward:
		return bindBatchNormFrozenBackward(b, c)
	case device.BatchNormMaxPoolForward:
		return bindBatchNormMaxPoolForward(b, c)
	case device.BatchNormMaxPoolBackward:
		return bindBatchNormMaxPoolBackward(b, c)
	case device.FoldBatchNorm:
		return bindFoldBatchNorm(b, c)
	case device.LRNForward:
		return bindLRNForward(b, c)
	case device.LRNBackward:
		return bindLRNBackward(b, c)
	case device.Softmax:
		return bindSoftmax(b, c)
	case device.SoftmaxBackward:
		return bindSoftmaxBackward(b, c)
	case device.SoftmaxCrossEntropy:
		return bindCrossEntropy(b, c)
	case device.SGD:
		return bindSGD(b, c)
	case device.AdamW:
		return bindAdamW(b, c)
	case device.RMSprop:
		return bindRMSprop(b, c)
	case device.EMA:
		return bindEMA(b, c)
	case device.Norm2:
		return bindNorm2(b, c)
	case device.Normalize:
		return bindNormalize(b, c)
	case device.Record:
		return bindRecord(b, c)
	}
	return nil
}
