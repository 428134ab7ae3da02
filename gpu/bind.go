//go:build cuda && cgo && linux

package gpu

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/cnnctl/cnnctl/device"
	"gorgonia.org/cu"
)

// bindings says how each type of call becomes launches. A call that is not here is not supported.
var bindings = table(
	on(bindFill), on(bindCast), on(bindCopy), on(bindAdd), on(bindActForward), on(bindActBackward), on(bindDropout),
	on(bindNorm2), on(bindBiasGrad),
	on(bindGemm), on(bindConvForward), on(bindConvBackwardData), on(bindConvBackwardFilter),
	on(bindMaxPoolForward), on(bindMaxPoolBackward), on(bindAvgPoolForward), on(bindAvgPoolBackward), on(bindAdaptiveForward), on(bindAdaptiveBackward),
	on(bindBatchNormForward), on(bindBatchNormInference), on(bindBatchNormBackward), on(bindBatchNormFrozenBackward), on(bindFoldBatchNorm),
	on(bindBatchNormMaxPoolForward), on(bindBatchNormMaxPoolBackward),
	on(bindLRNForward), on(bindLRNBackward),
	on(bindSoftmax), on(bindSoftmaxBackward), on(bindCrossEntropy),
	on(bindSGD), on(bindAdamW), on(bindRMSprop), on(bindEMA), on(bindRecord), on(bindNormalize),
)

// A binding binds the calls of one type.
type binding struct {
	call reflect.Type
	bind func(*binder, device.Call)
}

// on is the binding of calls of type C.
func on[C device.Call](bind func(*binder, C)) binding {
	return binding{reflect.TypeFor[C](), func(b *binder, c device.Call) { bind(b, c.(C)) }}
}

func table(list ...binding) map[reflect.Type]func(*binder, device.Call) {
	m := map[reflect.Type]func(*binder, device.Call){}
	for _, b := range list {
		m[b.call] = b.bind
	}
	return m
}

// Bind implements device.Device.
func (d *Device) Bind(c device.Call) (device.Step, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer d.leave()
	if c == nil {
		return nil, fmt.Errorf("cuda: %w: no call", device.ErrUnsupported)
	}
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	bind, ok := bindings[reflect.TypeOf(c)]
	if !ok {
		return nil, fmt.Errorf("cuda: %w: %T", device.ErrUnsupported, c)
	}
	b := &binder{dev: d, call: c}
	bind(b, c)
	if b.err != nil {
		return nil, b.err
	}
	list := b.launches
	return func() error { return d.run(list) }, nil
}

// run puts launches on the stream.
func (d *Device) run(list []launch) error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	for i := range list {
		if err := list[i].start(d.stream); err != nil {
			return d.check(list[i].op, err)
		}
	}
	return nil
}

// Workspace implements device.Workspacer. It is 0 for a call whose geometry is wrong: Bind reports that.
func (d *Device) Workspace(c device.WorkspaceCall) int64 {
	if c == nil {
		return 0
	}
	if err := c.Check(); err != nil && !errors.Is(err, device.ErrOperand) {
		return 0
	}
	bind, ok := bindings[reflect.TypeOf(c)]
	if !ok {
		return 0
	}
	b := &binder{dev: d, call: c, sizing: true}
	bind(b, c)
	return b.used
}

// A binder turns one call into launches. With sizing set it only adds up the scratch memory: operands may be absent then, addresses are
// zero, and there are no launches. One code path for both keeps the size and its use in step.
type binder struct {
	dev      *Device
	call     device.Call
	sizing   bool
	launches []launch
	ws       device.Mem // the call's workspace
	used     int64      // bytes of it that are given out
	err      error
}

// fail keeps the first error.
func (b *binder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *binder) operand(format string, args ...any) {
	b.fail(fmt.Errorf("cuda: %T: %w: %s", b.call, device.ErrOperand, fmt.Sprintf(format, args...)))
}

// mem returns the address of an operand, or zero if it is absent. Check has made sure that it is long enough.
func (b *binder) mem(m device.Mem) cu.DevicePtr {
	if m.IsZero() || b.sizing {
		return 0
	}
	p, ok := b.dev.address(m)
	if !ok {
		b.operand("%+v does not lie in the memory of this device", m)
	}
	return p
}

// workspace makes the call's workspace known to scratch. It comes before the first scratch.
func (b *binder) workspace(m device.Mem) { b.ws = m }

// scratch returns n bytes of the workspace, at a multiple of 16 bytes. Their contents are undefined.
func (b *binder) scratch(n int64) cu.DevicePtr {
	at := b.used
	b.used += device.AlignUp(n)
	if b.sizing || b.err != nil {
		return 0
	}
	if b.used > b.ws.Len {
		b.operand("the workspace holds %d bytes, wanted at least %d: ask Workspace", b.ws.Len, b.used)
		return 0
	}
	p := b.mem(b.ws)
	if p%16 != 0 {
		b.operand("workspace %+v does not lie at a multiple of 16", b.ws)
	}
	return p + cu.DevicePtr(at)
}

// constant returns the address of a table that the kernels read.
func (b *binder) constant(table []byte) cu.DevicePtr {
	if b.sizing || b.err != nil || len(table) == 0 {
		return 0
	}
	p, err := b.dev.constant(table)
	if err != nil {
		b.fail(err)
	}
	return p
}

// launch appends a launch of a kernel with as many threads a block as it is compiled for. The types of the arguments are those of pack.
func (b *binder) launch(family, name string, g grid, args ...any) {
	b.launchShared(family, name, g, 0, args...)
}

// launchShared is launch with dynamic shared memory, in bytes.
func (b *binder) launchShared(family, name string, g grid, shared int, args ...any) {
	if b.sizing || b.err != nil {
		return
	}
	k, err := b.dev.kernel(family, name)
	if err != nil {
		b.fail(err)
		return
	}
	l, err := b.dev.newLaunch(k, g, shared, args)
	if err != nil {
		b.fail(err)
		return
	}
	b.launches = append(b.launches, l)
}

// stride returns a grid for a loop with the grid's stride over n items, one a thread: enough blocks of so many threads to fill the GPU,
// and no more than there are items.
func (b *binder) stride(n int64, threads int) grid {
	const resident = 2048 // threads of a multiprocessor; a few less on some
	fill := int64(max(b.dev.info.Multiprocessors, 1) * resident / threads)
	return grid{x: int(min(fill, ceilDiv(n, int64(threads))))}
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }

// aligned reports whether kernels may use 16-byte accesses at the addresses. Absent operands do not matter.
func aligned(list ...cu.DevicePtr) bool {
	for _, p := range list {
		if p%16 != 0 {
			return false
		}
	}
	return true
}

// boolArg is a bool as a kernel's argument.
func boolArg(v bool) int32 {
	if v {
		return 1
	}
	return 0
}
