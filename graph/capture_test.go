package graph

import (
	"testing"

	"github.com/cnnctl/cnnctl/device"
)

// capturing is a device that counts what is captured and replayed.
type capturing struct {
	device.Device
	captured, replayed int
}

func (c *capturing) Capture(run func() error) (device.Step, error) {
	c.captured++
	return func() error { c.replayed++; return run() }, nil
}

// A device that can replay steps is asked once for each program, and every step is a replay with the same result.
func TestStepsAreReplayed(t *testing.T) {
	g := trunkAndHead()
	want := newRig(t, g, TrainConfig{Batch: 2})
	r := newRig(t, g, TrainConfig{Batch: 2})
	dev := &capturing{Device: r.dev}
	r.w.dev = dev
	var err error
	if r.tr, err = CompileTraining(g, r.w, TrainConfig{Batch: 2, Optimizer: SGD{}}); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if got, want := r.stepAt(i), want.stepAt(i); got != want {
			t.Errorf("step %d: loss %v, want %v", i, got, want)
		}
	}
	if dev.captured != 1 || dev.replayed != 3 {
		t.Errorf("%d captures and %d replays, want 1 and 3", dev.captured, dev.replayed)
	}
}
