package devicetest

import (
	"math"
	"testing"

	"github.com/cnnctl/cnnctl/device"
)

// A Bench is a device with memory for the cases of a table, one at a time.
type Bench struct {
	Device device.Device
	tb     testing.TB
	arena  device.Mem
	work   device.Mem
	image  []float32 // of the case that is loaded
	o      *Operands
}

// NewBench allocates memory for the largest of the cases.
func NewBench(tb testing.TB, d device.Device, cases []Case) *Bench {
	tb.Helper()
	b := &Bench{Device: d, tb: tb}
	if err := checkNames(cases); err != nil {
		tb.Fatal(err)
	}
	var words int
	var scratch int64
	for _, c := range cases {
		o := c.operands(device.Mem{})
		call := c.Call(o)
		words = max(words, o.words())
		scratch = max(scratch, b.workspace(call))
	}
	b.arena = b.alloc(4 * int64(words))
	b.work = b.alloc(device.AlignUp(scratch) + device.Align)
	return b
}

func (b *Bench) alloc(n int64) device.Mem {
	b.tb.Helper()
	m, err := b.Device.Alloc(n)
	if err != nil {
		b.tb.Fatal(err)
	}
	return m
}

// Load fills the memory for a case and binds its call. tb receives failures from here on.
func (b *Bench) Load(tb testing.TB, c Case) (device.Step, device.Call) {
	tb.Helper()
	b.tb = tb
	b.o = c.operands(b.arena)
	call := c.Call(b.o)
	b.image = b.o.image(c.Name)
	b.Reset()
	n := b.workspace(call)
	if n > 0 {
		call = call.(device.WorkspaceCall).WithWorkspace(b.work.Slice(0, n))
	}
	b.poisonWork(n)
	step, err := b.Device.Bind(call)
	if err != nil {
		tb.Fatalf("Bind: %v", err)
	}
	return step, call
}

// Reset restores the operands of the case that is loaded.
func (b *Bench) Reset() {
	b.tb.Helper()
	if err := b.Device.Upload(b.used(), device.Bytes(b.image)); err != nil {
		b.tb.Fatal(err)
	}
}

// Run runs a step and waits for it.
func (b *Bench) Run(step device.Step) {
	b.tb.Helper()
	if err := step(); err != nil {
		b.tb.Fatalf("step: %v", err)
	}
	if err := b.Device.Sync(); err != nil {
		b.tb.Fatalf("sync: %v", err)
	}
}

// Read returns the words of the arena: operands and guards.
func (b *Bench) Read() []float32 {
	b.tb.Helper()
	v := make([]float32, len(b.image))
	if err := b.Device.Download(device.Bytes(v), b.used()); err != nil {
		b.tb.Fatal(err)
	}
	return v
}

// used is the part of the arena that the case occupies.
func (b *Bench) used() device.Mem { return b.arena.Slice(0, 4*int64(len(b.image))) }

// workspace returns the bytes of workspace that the device wants for a call.
func (b *Bench) workspace(call device.Call) int64 {
	if wc, ok := call.(device.WorkspaceCall); ok {
		if w, ok := b.Device.(device.Workspacer); ok {
			return w.Workspace(wc)
		}
	}
	return 0
}

// guardedWork is a workspace of n bytes with the guard behind it.
func (b *Bench) guardedWork(n int64) device.Mem {
	return b.work.Slice(0, device.AlignUp(n)+device.Align)
}

func (b *Bench) poisonWork(n int64) {
	b.tb.Helper()
	m := b.guardedWork(n)
	v := make([]float32, m.Floats())
	Constant(math.Float32frombits(poison))(nil, v)
	if err := b.Device.Upload(m, device.Bytes(v)); err != nil {
		b.tb.Fatal(err)
	}
}

// checkWork fails if the step wrote behind the workspace that it asked for.
func (b *Bench) checkWork(call device.Call) {
	b.tb.Helper()
	n := b.workspace(call)
	m := b.guardedWork(n)
	v := make([]uint32, m.Floats())
	if err := b.Device.Download(device.Bytes(v), m); err != nil {
		b.tb.Fatal(err)
	}
	for i := int(n / 4); i < len(v); i++ {
		if v[i] != poison {
			b.tb.Fatalf("the step wrote behind its %d bytes of workspace, at byte %d", n, 4*i)
		}
	}
}
