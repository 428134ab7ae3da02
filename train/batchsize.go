package train

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/train/transfer"
)

// AutoBatch is the Config.Batch that asks for the largest batch size that fits the device.
const AutoBatch = -1

// Bounds of an automatic batch size: a share of the free memory, since others want some too; a size beyond which no device becomes faster and
// every training needs other settings; and a number of steps that an epoch has at least.
const (
	autoShare = 0.75
	autoMost  = 1024
	autoSteps = 10
)

// headroom is what a device takes beside the plan: whole pages for each allocation, and the kernels.
const headroom = 16 << 20

// MemoryError says that a training does not fit the device, and which one would. It wraps the *device.OutOfMemoryError.
type MemoryError struct {
	device.OutOfMemoryError
	Batch, Largest int // batch sizes: the one that was asked for, and the largest that fits, 0 if none does
	Resumed        bool
}

func (e *MemoryError) Error() string {
	remedy := fmt.Sprintf("the largest batch size that fits is %d: give --batch-size %d or --batch-size auto", e.Largest, e.Largest)
	switch {
	case e.Largest == 0:
		remedy = "not even a batch size of 1 fits: give a smaller --image-size, a smaller model or another --device"
	case e.Resumed:
		remedy = fmt.Sprintf("the largest batch size that fits is %d, but a run that is continued keeps its own: free memory, or give another --device", e.Largest)
	}
	return fmt.Sprintf("%v for training with --batch-size %d; %s", &e.OutOfMemoryError, e.Batch, remedy)
}

// Unwrap returns the *device.OutOfMemoryError.
func (e *MemoryError) Unwrap() error { return &e.OutOfMemoryError }

// need returns the bytes on dev of a training with a batch size and its validation, from the plan alone.
func (r *Run) need(dev device.Device, batch int) (int64, error) {
	trained, beside := r.graph, int64(headroom)
	if r.tail != nil { // the whole network only computes the features
		p, err := transfer.PlanExtraction(r.graph, dev, r.tail.cut, r.Config.Precision)
		if err != nil {
			return 0, err
		}
		trained, beside = r.tail.graph, beside+p.Memory.Total()
	}
	defer trained.Enter(trained.Stage())
	var most int64
	for stage := range trained.Stages() {
		trained.Enter(stage)
		c := r.Config.Training(batch)
		if r.tail == nil && r.images != nil && r.images.Pixels() != nil {
			c.Pixels = r.pipe.Table()
		}
		p, err := graph.PlanTraining(trained, dev, c)
		if err != nil {
			return 0, err
		}
		most = max(most, p.Memory.Total())
	}
	v, err := graph.PlanInference(trained, dev, r.Config.Inference(min(evalBatch(batch), r.source.Val.Len())))
	if err != nil {
		return 0, err
	}
	return most + v.Arena + beside, nil
}

// largest returns the largest batch size up to most that needs at most so many bytes, or 0.
func (r *Run) largest(dev device.Device, most int, bytes int64) (int, error) {
	lo, hi := 0, most // lo fits, hi+1 does not
	for lo < hi {
		mid := (lo + hi + 1) / 2
		n, err := r.need(dev, mid)
		if err != nil {
			return 0, err
		}
		if n <= bytes {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo, nil
}

// chooseBatch decides on an automatic batch size.
func (r *Run) chooseBatch(dev device.Device) error {
	m, ok := dev.(device.MemoryReporter)
	if !ok {
		return fmt.Errorf("%w: --batch-size auto: %s does not say how much memory it has; give a number", ErrConfig, dev.Name())
	}
	free, err := m.Free()
	if err != nil {
		return err
	}
	n, err := r.largest(dev, min(autoMost, max(1, r.source.Train.Len()/autoSteps)), int64(autoShare*float64(free)))
	if n >= 8 {
		n -= n % 8 // as the tensor cores like it
	}
	r.Config.Batch = max(n, 1)
	return err
}

// checkMemory reports a batch size that does not fit, before anything is allocated.
func (r *Run) checkMemory(dev device.Device) error {
	m, ok := dev.(device.MemoryReporter)
	if !ok {
		return nil
	}
	free, err := m.Free()
	if err != nil {
		return err
	}
	batch := r.Config.Batch
	n, err := r.need(dev, batch)
	if err != nil || n <= free {
		return err
	}
	e := &MemoryError{OutOfMemoryError: device.OutOfMemoryError{Device: dev.Name(), Want: n, Free: free}, Batch: batch, Resumed: r.resumed}
	if e.Largest, err = r.largest(dev, batch-1, free); err != nil {
		return err
	}
	return e
}
