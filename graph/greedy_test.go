package graph

import (
	"fmt"
	"math"

	"github.com/cnnctl/cnnctl/cpu/ref"
	"github.com/cnnctl/cnnctl/device"
)

// greedy is the oracle as a device whose kernels want scratch memory, of sizes that differ from call to call. They fill it with NaN.
type greedy struct{ *ref.Device }

func (greedy) Workspace(c device.WorkspaceCall) int64 { return c.Cost().Bytes%1000 + 1 }

func (d greedy) Bind(c device.Call) (device.Step, error) {
	step, err := d.Device.Bind(c)
	if err != nil {
		return nil, err
	}
	var work device.Mem
	switch c := c.(type) {
	case device.ConvForward:
		work = c.Workspace
	case device.ConvBackwardData:
		work = c.Workspace
	case device.ConvBackwardFilter:
		work = c.Workspace
	case device.Gemm:
		work = c.Workspace
	case device.BatchNormBackward:
		work = c.Workspace
	case device.SoftmaxCrossEntropy:
		work = c.Workspace
	default:
		return step, nil
	}
	if work.IsZero() {
		return nil, fmt.Errorf("%T without the workspace that it wanted", c)
	}
	return func() error {
		poison(d.Device, work)
		return step()
	}, nil
}

// poison fills memory with NaN, which no result survives that reads it as float32 or as bfloat16.
func poison(d *ref.Device, m device.Mem) {
	v := d.Float64s(m)
	for i := range v {
		v[i] = math.Float64frombits(0x7ff8<<48 | 0x7fc07fc0) // the bits of a float32 in a NaN's lower half, as package ref keeps them
	}
}
