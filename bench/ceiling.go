// Package bench measures: the loader, a training step, the calls of a step. Every figure is taken next to the ceilings of the same
// machine in the same minute, because absolute times mean little on machines that are shared.
package bench

import (
	"fmt"
	"slices"
	"time"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/philox"
)

// Ceiling is what a device reaches at best.
type Ceiling struct {
	FLOPS [device.BF16 + 1]float64 // operations a second, by precision
	Bytes float64                  // bytes a second, read and written
	Rated bool                     // from the device's data sheet, not measured
}

// Sizes that neither fit a cache nor take long.
const (
	productSide = 1024
	copyFloats  = 16 << 20
)

// Measure finds a device's ceilings: those of its data sheet if it knows them (device.Rated), else the best of a few runs of a large matrix product and of
// a large copy. The product is the device's own: a kernel that is slow everywhere
// lowers its own ceiling, so compare the absolute figure with the machine's data sheet too.
func Measure(dev device.Device) (Ceiling, error) {
	if r, ok := dev.(device.Rated); ok {
		return rated(r)
	}
	var c Ceiling
	mem, err := dev.Alloc(4 * 2 * copyFloats)
	if err != nil {
		return c, err
	}
	const n = productSide
	noise := make([]float32, 2*n*n)
	r := philox.New(0, philox.Test, 0, 0)
	for i := range noise {
		noise[i] = 2*r.Float32() - 1 // zeros may run faster than data
	}
	if err := dev.Upload(mem.Slice(0, 8*n*n), device.Bytes(noise)); err != nil {
		return c, err
	}
	at := func(i int) device.Mem { return mem.Slice(int64(4*i*n*n), 4*n*n) }
	gemm := device.Gemm{M: n, N: n, K: n, A: at(0), B: at(1), C: at(2)}
	if w, ok := dev.(device.Workspacer); ok {
		if size := w.Workspace(gemm); size > 0 {
			scratch, err := dev.Alloc(size)
			if err != nil {
				return c, err
			}
			gemm.Workspace = scratch
		}
	}
	t, err := best(dev, gemm, 5)
	if err != nil {
		return c, err
	}
	for p := range c.FLOPS {
		c.FLOPS[p] = float64(gemm.Cost().FLOPs) / t.Seconds()
	}
	half := int64(4 * copyFloats)
	move := device.Copy{Rows: 1, Cols: copyFloats, Src: mem.Slice(0, half), Dst: mem.Slice(half, half), SrcStride: copyFloats, DstStride: copyFloats}
	if t, err = best(dev, move, 5); err != nil {
		return c, err
	}
	c.Bytes = float64(move.Cost().Bytes) / t.Seconds()
	return c, nil
}

// rated asks a device for its ceilings.
func rated(r device.Rated) (Ceiling, error) {
	c := Ceiling{Rated: true}
	for p := range c.FLOPS {
		var err error
		if c.FLOPS[p], c.Bytes, err = r.Peaks(device.Precision(p)); err != nil {
			return c, err
		}
	}
	return c, nil
}

// best returns the shortest of a few runs of a call.
func best(dev device.Device, c device.Call, runs int) (time.Duration, error) {
	step, err := dev.Bind(c)
	if err != nil {
		return 0, fmt.Errorf("measuring the device: %w", err)
	}
	times := make([]time.Duration, runs)
	for i := range times {
		begin := time.Now()
		if err := step(); err != nil {
			return 0, err
		}
		if err := dev.Sync(); err != nil {
			return 0, err
		}
		times[i] = time.Since(begin)
	}
	return slices.Min(times), nil
}

// Floor is the least time that work in a precision can take under the ceilings: that of its arithmetic or that of its traffic, whichever is longer (the
// roofline of Williams, Waterman and Patterson, 2009).
func (c Ceiling) Floor(k device.Cost, p device.Precision) time.Duration {
	s := max(float64(k.FLOPs)/c.FLOPS[p], float64(k.Bytes)/c.Bytes)
	return time.Duration(s * float64(time.Second))
}
