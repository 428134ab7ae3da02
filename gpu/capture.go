//go:build cuda && cgo && linux

package gpu

import (
	"errors"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/gpu/internal/driver"
)

// Capture implements device.Capturer: the step that it returns does all launches of run with one call to the driver.
func (d *Device) Capture(run func() error) (device.Step, error) {
	if d.noGraph {
		return run, nil
	}
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer d.leave() // a capture begins and ends on one thread
	if err := driver.BeginCapture(d.stream); err != nil {
		return nil, d.check("beginning a capture", err)
	}
	failed := run()
	g, err := driver.EndCapture(d.stream)
	if err := errors.Join(failed, d.check("capturing a step", err)); err != nil {
		return nil, err
	}
	d.graphs = append(d.graphs, g)
	return func() error {
		if err := d.enter(); err != nil {
			return err
		}
		defer d.leave()
		if err := g.Launch(d.stream); err != nil {
			return d.check("launching a graph", err)
		}
		return nil
	}, nil
}
