//go:build cuda && cgo && linux

package gpu

import (
	"time"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/gpu/internal/driver"
	"gorgonia.org/cu"
)

// Time implements device.Timer with events between the steps. The first round keeps the GPU busy while the host puts the second on the stream, so that
// what is measured is not how fast the host does that.
func (d *Device) Time(steps []device.Step, times []time.Duration) error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	events := make([]cu.Event, len(steps)+1)
	defer func() {
		for i := range events {
			if events[i] != (cu.Event{}) {
				cu.DestroyEvent(&events[i])
			}
		}
	}()
	for i := range events {
		var err error
		if events[i], err = cu.MakeEvent(cu.DefaultEvent); err != nil {
			return d.check("creating an event", err)
		}
	}
	for round := range 2 {
		for i, s := range steps {
			if round == 1 {
				if err := events[i].Record(d.stream); err != nil {
					return d.check("timing a step", err)
				}
			}
			if err := s(); err != nil {
				return err
			}
		}
	}
	if err := events[len(steps)].Record(d.stream); err != nil {
		return d.check("timing a step", err)
	}
	if err := d.stream.Synchronize(); err != nil {
		return d.check("timing steps", err)
	}
	for i := range steps {
		ms, err := events[i].Elapsed(events[i+1])
		if err != nil {
			return d.check("timing a step", err)
		}
		times[i] = time.Duration(ms * float64(time.Millisecond))
	}
	return nil
}

// multiplyAdds returns how many multiply-adds of dense matrices, with sums in float32, one multiprocessor begins in a clock cycle: on the lanes for
// float32, or on the tensor cores.
//
// NVIDIA's white papers of the architectures: A100 (2020), GA102 (2020), H100 (2022), Ada (2022), Blackwell (2024, 2025).
func (i Info) multiplyAdds(p device.Precision) float64 {
	lanes, tf32 := 128.0, 128.0 // 8.6, 8.9 and 12.0
	switch {
	case i.Major == 8 && i.Minor == 0:
		lanes, tf32 = 64, 512
	case i.Major == 9:
		tf32 = 1024
	case i.Major == 10:
		tf32 = 2048
	}
	switch p {
	case device.TF32:
		return tf32
	case device.BF16:
		return 2 * tf32
	}
	return lanes
}

// Peaks implements device.Rated: from the compute capability, the number of multiprocessors, and the highest clocks that the driver tells.
func (d *Device) Peaks(p device.Precision) (flops, bytes float64, err error) {
	if err := d.enter(); err != nil {
		return 0, 0, err
	}
	defer d.leave()
	var clock, memory, width int // kHz, kHz, bits
	for _, a := range []struct {
		value     *int
		attribute cu.DeviceAttribute
	}{{&clock, cu.ClockRate}, {&memory, cu.MemoryClockRate}, {&width, cu.GlobalMemoryBusWidth}} {
		if *a.value, err = d.gpu.Attribute(a.attribute); err != nil {
			return 0, 0, d.check("asking for the GPU's clocks", err)
		}
	}
	flops, bytes = d.info.peaks(p, clock, memory, width)
	return flops, bytes, nil
}

// peaks are the rates at clocks in kHz of the multiprocessors and of memory that is so many bits wide.
func (i Info) peaks(p device.Precision, clock, memory, width int) (flops, bytes float64) {
	// Memory moves data on both edges of its clock.
	return 2 * i.multiplyAdds(p) * float64(i.Multiprocessors) * 1e3 * float64(clock), 2 * 1e3 * float64(memory) * float64(width) / 8
}

// Emulated reports whether the driver is the emulated one, whose times say nothing about a GPU.
func Emulated() bool { return driver.Emulated() }
