package graph

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// resultSlots is the number of steps whose results a training keeps on the device: that many may run before the host looks.
const resultSlots = 256

// The word that halts a training comes first, then the results.
const resultBytes = device.Align + 4*resultSlots*device.RecordWords

func (tr *training) halt() device.Mem { return tr.results.Slice(0, 4) }
func (tr *training) log() device.Mem {
	return tr.results.Slice(device.Align, 4*resultSlots*device.RecordWords)
}

// StepResult is what a step has left.
type StepResult struct {
	Step         int     // the updates before it
	device.Stats         // of its batch
	Norm         float32 // length of the gradient before clipping
}

// unread are the steps whose results nobody has read yet: consecutive ones.
type unread struct {
	first, count int
}

// started notes a step. After a jump, as after a run that is continued, those before it are forgotten.
func (u *unread) started(step int) {
	if u.first+u.count != step {
		*u = unread{first: step}
	}
	u.count++
}

// Unread returns the number of steps since the last call of Results. At most MaxUnread of them are kept.
func (tr *Training) Unread() int { return tr.unread.count }

// MaxUnread is the number of steps after which Results must be called, or the oldest are lost.
const MaxUnread = resultSlots

// Results waits for the steps that were started and returns the results of those since the last call, in order.
//
// From the first step on whose loss or gradient is not finite, no step has changed the weights or the optimiser's state.
func (tr *Training) Results() ([]StepResult, error) {
	if n := tr.unread.count; n > resultSlots {
		return nil, fmt.Errorf("graph: %d steps without a look at their results, wanted at most %d", n, resultSlots)
	}
	steps := tr.unread
	if err := tr.read(); err != nil {
		return nil, err
	}
	list := make([]StepResult, steps.count)
	for i := range list {
		list[i] = tr.result(steps.first + i)
	}
	return list, nil
}

// Stats waits for the last step and returns its loss and counters, and the length of the gradient before clipping. The results of the steps
// before it are dropped.
func (tr *Training) Stats() (device.Stats, float32, error) {
	last := tr.unread.first + tr.unread.count - 1
	if err := tr.read(); err != nil {
		return device.Stats{}, 0, err
	}
	r := tr.result(last)
	return r.Stats, r.Norm, nil
}

// read brings the results to the host.
func (tr *Training) read() error {
	if tr.unread.count == 0 {
		return nil
	}
	tr.unread = unread{first: tr.unread.first + tr.unread.count}
	return tr.dev.Download(device.Bytes(tr.words[:]), tr.log())
}

// result decodes what read has brought of one step.
func (tr *Training) result(step int) StepResult {
	w := tr.words[max(step, 0)%resultSlots*device.RecordWords:]
	return StepResult{Step: step, Stats: decodeStats([device.StatsWords]float32(w)), Norm: w[device.StatsWords]}
}
