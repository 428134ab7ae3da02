//go:build cuda && cgo && linux

package gpu

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/gpu/internal/driver"
	"gorgonia.org/cu"
)

// Device implements device.Device and all that is optional: device.Workspacer, device.Capturer, device.Feeder, device.MemoryReporter,
// device.Timer and device.Rated.
//
// A CUDA context belongs to the thread that works with it, and goroutines move between threads. Each method therefore ties its
// goroutine to its thread and makes the context current, which costs a tenth of a microsecond; the alternative, a goroutine that owns the
// context, costs ten times that for each launch.
type Device struct {
	info    Info
	gpu     cu.Device
	ctx     cu.CUContext
	stream  cu.Stream
	arenas  []arena // arena a is arenas[a-1]
	consts  pool
	ring    ring
	copies  cu.Stream // of the inlets; made with the first
	inlets  []*inlet
	modules map[string]cu.Module
	kernels map[string]*kernel
	graphs  []driver.Graph
	lost    error // the first error that the context did not survive
	noGraph bool
	closed  bool
}

var errClosed = errors.New("cuda: the device is closed, open another one")

// Open returns the GPU of that index. The error wraps ErrNoDevice if there is none.
func Open(index int, options ...Option) (device.Device, error) {
	list, err := List()
	if err != nil {
		return nil, err
	}
	if index < 0 || index >= len(list) {
		return nil, fmt.Errorf("%w: cuda:%d, wanted one of the %d GPUs cuda:0 to cuda:%d", ErrNoDevice, index, len(list), len(list)-1)
	}
	d := &Device{info: list[index], noGraph: slices.Contains(options, NoGraph), modules: map[string]cu.Module{}, kernels: map[string]*kernel{}}
	if err := d.open(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Device) open() (err error) {
	if d.gpu, err = cu.GetDevice(d.info.Index); err != nil {
		return d.check("opening the GPU", err)
	}
	// The primary context is the one that libraries in the same process would use.
	if d.ctx, err = d.gpu.RetainPrimaryCtx(); err != nil {
		return d.check("creating a context", err)
	}
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	// A stream that does not wait for the default stream, on which synchronous copies run.
	if d.stream, err = cu.MakeStream(cu.NonBlocking); err != nil {
		return d.check("creating a stream", err)
	}
	// Loading one family finds out whether this GPU can run the kernels at all.
	_, err = d.module("elementwise")
	return err
}

// Info describes the GPU.
func (d *Device) Info() Info { return d.info }

// Name implements device.Device.
func (d *Device) Name() string { return d.info.String() }

// enter ties the goroutine to its thread and makes the context current there. If it returns no error, leave must follow.
func (d *Device) enter() error {
	if d.closed {
		return errClosed
	}
	if d.lost != nil {
		return d.lost
	}
	runtime.LockOSThread()
	if err := cu.SetCurrentContext(d.ctx); err != nil {
		runtime.UnlockOSThread()
		return d.check("making the context current", err)
	}
	return nil
}

func (d *Device) leave() { runtime.UnlockOSThread() }

// Sync implements device.Device.
func (d *Device) Sync() error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	return d.check("waiting for the steps", d.stream.Synchronize())
}

// Close implements device.Device. Closing twice is harmless; everything else fails afterwards.
func (d *Device) Close() error {
	if d.closed {
		return nil
	}
	var err error
	if d.ctx != (cu.CUContext{}) {
		if d.enter() == nil { // a lost context releases what it holds by itself
			err = d.release()
			d.leave()
		}
		err = errors.Join(err, wrap("releasing the context", d.gpu.ReleasePrimaryCtx()))
	}
	d.closed = true
	return err
}

// release gives back what the device holds, in the reverse order of its use.
func (d *Device) release() error {
	var list []error
	try := func(op string, err error) { list = append(list, wrap(op, err)) }
	if d.stream != (cu.Stream{}) {
		try("waiting for the steps", d.stream.Synchronize())
	}
	if d.copies != (cu.Stream{}) {
		try("waiting for copies to the device", d.copies.Synchronize())
	}
	for _, in := range d.inlets {
		try("releasing an inlet", in.release())
	}
	for _, g := range d.graphs {
		try("releasing a graph", g.Destroy())
	}
	try("releasing the staging memory", d.ring.release())
	for _, m := range d.modules {
		try("unloading kernels", m.Unload())
	}
	for _, p := range append(d.consts.chunks, pointers(d.arenas)...) {
		try("releasing memory", cu.MemFree(p))
	}
	for _, s := range []cu.Stream{d.copies, d.stream} {
		if s != (cu.Stream{}) {
			try("releasing a stream", s.Destroy())
		}
	}
	return errors.Join(list...)
}
