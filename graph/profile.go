package graph

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/cnnctl/cnnctl/device"
)

// CallTime is one call of a program and the time it took.
type CallTime struct {
	Layer     string           // "" for the loss and the update
	Pass      string           // "forward", "backward", "update"
	Call      string           // "ConvForward"
	Precision device.Precision // of its operands
	Cost      device.Cost
	Time      time.Duration
}

// Profile runs the step of a batch rounds times and returns the shortest time of each call: by the device's clock if it has one (device.Timer), else
// waiting for each call. The weights are trained on whatever the program's input holds.
func (tr *Training) Profile(rounds int) ([]CallTime, error) {
	times := make([]CallTime, len(tr.calls))
	for i, c := range tr.calls {
		times[i] = CallTime{Pass: c.pass.String(), Call: callName(c.call), Precision: device.Needs(c.call), Cost: c.call.Cost(), Time: math.MaxInt64}
		if c.node != nil {
			times[i].Layer = c.node.Name
		}
	}
	tr.changed()
	round := make([]time.Duration, len(tr.steps))
	for range rounds {
		if err := tr.time(round); err != nil {
			return nil, err
		}
		for i, d := range round {
			times[i].Time = min(times[i].Time, d)
		}
	}
	return times, nil
}

// time measures each step once.
func (tr *Training) time(times []time.Duration) error {
	if t, ok := tr.dev.(device.Timer); ok {
		return t.Time(tr.steps, times)
	}
	for i, step := range tr.steps {
		begin := time.Now()
		if err := step(); err != nil {
			return err
		}
		if err := tr.dev.Sync(); err != nil {
			return err
		}
		times[i] = time.Since(begin)
	}
	return nil
}

// Cost returns the work of one run.
func (p *program) Cost() device.Cost {
	var sum device.Cost
	for _, c := range p.calls {
		sum = sum.Plus(c.call.Cost())
	}
	return sum
}

// callName is the type of a call without its package.
func callName(c device.Call) string {
	return strings.TrimPrefix(fmt.Sprintf("%T", c), "device.")
}
