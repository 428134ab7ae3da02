package ref

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// Bind implements device.Device.
func (d *Device) Bind(c device.Call) (device.Step, error) {
	if d.closed {
		return nil, errClosed
	}
	if c == nil {
		return nil, fmt.Errorf("ref: %w: no call", device.ErrUnsupported)
	}
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("ref: %w", err)
	}
	b := &binder{d: d}
	run := b.bind(c)
	if b.err != nil {
		return nil, b.err
	}
	if run == nil {
		return nil, fmt.Errorf("ref: %w: %T", device.ErrUnsupported, c)
	}
	return func() error {
		if d.closed {
			return errClosed
		}
		for _, s := range b.singles {
			s.arena.unpack(s.lo, s.hi)
		}
		for _, v := range b.views {
			v.load()
		}
		run()
		for _, v := range b.views {
			if v.write {
				v.store()
			}
		}
		return nil
	}, nil
}

// A binder turns the operands of one call into slices.
type binder struct {
	d       *Device
	singles []single             // the float32 operands
	views   map[device.Mem]*view // the bfloat16 operands; one view for equal ones, since a call may work in place
	err     error
}

func (b *binder) fail(m device.Mem, n int, t device.Type) {
	if b.err == nil {
		b.err = fmt.Errorf("ref: %w: operand %+v is no memory of this device, or holds fewer than %d elements of %v", device.ErrGeometry, m, n, t)
	}
}

// mem returns the first n float32 of m, or nil for an absent operand.
func (b *binder) mem(m device.Mem, n int) []float64 {
	if m.IsZero() {
		return nil
	}
	s, ok := b.d.single(m)
	if !ok || s.hi-s.lo < n {
		b.fail(m, n, device.Float32)
		return nil
	}
	b.singles = append(b.singles, s)
	return s.values()[:n:n]
}

// in is mem for an operand of a type that the call reads.
func (b *binder) in(m device.Mem, n int, t device.Type) []float64 {
	if m.IsZero() || t == device.Float32 {
		return b.mem(m, n)
	}
	v, ok := b.views[m]
	if !ok {
		if v, ok = b.d.view(m, n); !ok {
			b.fail(m, n, t)
			return nil
		}
		if b.views == nil {
			b.views = map[device.Mem]*view{}
		}
		b.views[m] = v
	}
	return v.values
}

// out is in for an operand that the call writes.
func (b *binder) out(m device.Mem, n int, t device.Type) []float64 {
	values := b.in(m, n, t)
	if v := b.views[m]; v != nil {
		v.write = true
	}
	return values
}

func (b *binder) bind(c device.Call) func() {
	switch c := c.(type) {
	case device.Gemm:
		return gemm(b, c)
	case device.ConvForward:
		return convForward(b, c)
	case device.ConvBackwardData:
		return convBackwardData(b, c)
	case device.ConvBackwardFilter:
		return convBackwardFilter(b, c)
	case device.BiasGrad:
		return biasGrad(b, c)
	case device.MaxPoolForward:
		return maxPoolForward(b, c)
	case device.MaxPoolBackward:
		return maxPoolBackward(b, c)
	case device.AvgPoolForward:
		return avgPoolForward(b, c)
	case device.AvgPoolBackward:
		return avgPoolBackward(b, c)
	case device.AdaptiveAvgPoolForward:
		return adaptiveAvgPoolForward(b, c)
	case device.AdaptiveAvgPoolBackward:
		return adaptiveAvgPoolBackward(b, c)
	case device.ActForward:
		return actForward(b, c)
	case device.ActBackward:
		return actBackward(b, c)
	case device.Add:
		return add(b, c)
	case device.Copy:
		return copyBlock(b, c)
	case device.Fill:
		return fill(b, c)
	case device.Cast:
		return cast(b, c)
	case device.Dropout:
		return dropout(b, c)
	case device.BatchNormForward:
		return batchNormForward(b, c)
	case device.BatchNormInference:
		return batchNormInference(b, c)
	case device.BatchNormBackward:
		return batchNormBackward(b, c)
	case device.BatchNormFrozenBackward:
		return batchNormFrozenBackward(b, c)
	case device.BatchNormMaxPoolForward:
		return batchNormMaxPoolForward(b, c)
	case device.BatchNormMaxPoolBackward:
		return batchNormMaxPoolBackward(b, c)
	case device.FoldBatchNorm:
		return foldBatchNorm(b, c)
	case device.LRNForward:
		return lrnForward(b, c)
	case device.LRNBackward:
		return lrnBackward(b, c)
	case device.Softmax:
		return softmax(b, c)
	case device.SoftmaxBackward:
		return softmaxBackward(b, c)
	case device.SoftmaxCrossEntropy:
		return softmaxCrossEntropy(b, c)
	case device.SGD:
		return sgd(b, c)
	case device.AdamW:
		return adamW(b, c)
	case device.RMSprop:
		return rmsProp(b, c)
	case device.EMA:
		return ema(b, c)
	case device.Norm2:
		return norm2(b, c)
	case device.Normalize:
		return normalize(b, c)
	case device.Record:
		return record(b, c)
	}
	return nil
}

// store writes v to *y, or adds it.
func store(y *float64, v float64, accumulate bool) {
	if accumulate {
		v += *y
	}
	*y = v
}
