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
	if device.Needs(c) == device.BF16 {
		return nil, fmt.Errorf("ref: %w: %T in bf16", device.ErrUnsupported, c)
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
		run()
		return nil
	}, nil
}

// A binder turns the operands of one call into slices.
type binder struct {
	d   *Device
	err error
}

// mem returns the first n words of m, or nil for an absent operand.
func (b *binder) mem(m device.Mem, n int) []float64 {
	if m.IsZero() {
		return nil
	}
	v := b.d.Float64s(m)
	if len(v) < n {
		if b.err == nil {
			b.err = fmt.Errorf("ref: %w: operand %+v is no memory of this device, or holds fewer than %d words", device.ErrGeometry, m, n)
		}
		return nil
	}
	return v[:n:n]
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
