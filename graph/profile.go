package graph

import (
	"fmt"
	"strings"
	"time"

	"github.com/cnnctl/cnnctl/device"
)

// CallTime is one call of a program and the time it took.
type CallTime struct {
	Layer string // "" for the loss and the update
	Pass  string // "forward", "backward", "update"
	Call  string // "ConvForward"
	Cost  device.Cost
	Time  time.Duration
}

// Profile runs the step of a batch rounds times, waiting for each call, and returns the shortest time of each. The weights are trained on
// whatever the program's input holds.
func (tr *Training) Profile(rounds int) ([]CallTime, error) {
	times := make([]CallTime, len(tr.calls))
	for round := range rounds {
		for i, step := range tr.steps {
			begin := time.Now()
			if err := step(); err != nil {
				return nil, err
			}
			if err := tr.dev.Sync(); err != nil {
				return nil, err
			}
			d := time.Since(begin)
			if c := tr.calls[i]; round == 0 {
				times[i] = CallTime{Pass: c.pass.String(), Call: callName(c.call), Cost: c.call.Cost(), Time: d}
				if c.node != nil {
					times[i].Layer = c.node.Name
				}
			}
			times[i].Time = min(times[i].Time, d)
		}
	}
	return times, nil
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
