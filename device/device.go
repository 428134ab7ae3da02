// Package device is the waist of the project: what is above it (package graph) keeps books and does no arithmetic, what
// is below it (packages cpu and gpu) does arithmetic and keeps no books.
//
// A device executes calls. A call, such as ConvForward, is one primitive: a plain struct of operands and geometry. Bind
// turns a call into a step once, before training starts: it checks the geometry and chooses the kernel. Running a
// step allocates nothing. Operands are float32, but for activations and their gradients, which are of the type that a call's
// Type or Precision says. Activations are NHWC, filters KRSC, matrices row-major.
package device

import (
	"fmt"
	"time"
)

// Mem is a range of one device arena. It is a value: planning is arithmetic on offsets, and nothing needs a finalizer.
// The zero Mem means "no operand".
type Mem struct {
	Arena    int32 // 1-based number of an allocation; 0 in the zero Mem
	Off, Len int64 // bytes
}

// IsZero reports whether m is absent.
func (m Mem) IsZero() bool { return m == Mem{} }

// Slice returns the part of m of n bytes that starts at byte off. It panics if the part does not lie in m: offsets are
// computed by the planner and never come from a user.
func (m Mem) Slice(off, n int64) Mem {
	if off < 0 || n < 0 || off+n > m.Len {
		panic(fmt.Sprintf("device: slice [%d, %d+%d) of %d bytes", off, off, n, m.Len))
	}
	return Mem{m.Arena, m.Off + off, n}
}

// Floats returns the number of float32 elements of m.
func (m Mem) Floats() int64 { return m.Len / 4 }

// Align is the alignment of every operand in bytes: one cache line pair on a CPU, one coalesced segment on a GPU.
const Align = 256

// AlignUp rounds n up to a multiple of Align.
func AlignUp(n int64) int64 { return (n + Align - 1) &^ (Align - 1) }

// Cost is the work that any implementation of a call must do.
type Cost struct {
	FLOPs int64 // floating-point operations; a multiply-add counts two
	Bytes int64 // least traffic: each input read once, each output written once
}

// Plus returns the sum of two costs.
func (c Cost) Plus(d Cost) Cost { return Cost{c.FLOPs + d.FLOPs, c.Bytes + d.Bytes} }

// A Call is one primitive with operands and geometry. Check reports geometry that no device can execute (a negative
// size, an operand that is too small), so that devices need not each repeat it.
type Call interface {
	Cost() Cost
	Check() error
}

// A WorkspaceCall is a call for which an implementation may want scratch memory beside the operands. A device that
// wants it implements Workspacer; whoever emits the call then provides the memory, so that the scratch of one call shares its
// bytes with the activations that are dead at that time.
type WorkspaceCall interface {
	Call
	WithWorkspace(Mem) Call
}

// A Workspacer reports how many bytes of scratch its kernel for c needs, from the geometry alone: operands may still be zero.
type Workspacer interface {
	Workspace(c WorkspaceCall) int64
}

// A Capturer records steps and replays them all at once, which spares the host's work for each.
type Capturer interface {
	// Capture calls run, which calls steps, and records what they start instead of starting it. The step that it returns does all of that; it
	// lives as long as the device. Run must not upload, download, allocate or bind.
	Capture(run func() error) (Step, error)
}

// A Step runs one bound call: asynchronously, in the order of the calls to steps, and without allocating.
type Step func() error

// Device executes calls. Its methods are called from one goroutine.
type Device interface {
	// Name identifies the device for the user, for example "cpu (2 threads, gonum)".
	Name() string
	// Alloc reserves zeroed memory. It fails with an *OutOfMemoryError if there is not enough.
	Alloc(bytes int64) (Mem, error)
	// Upload copies src to dst, Download the other way; both wait for the steps before them. Lengths must agree.
	Upload(dst Mem, src []byte) error
	Download(dst []byte, src Mem) error
	// Bind chooses the kernel and its geometry. It fails with an error that wraps ErrUnsupported if the device has no
	// kernel for c, and never falls back to another device.
	Bind(c Call) (Step, error)
	// Sync waits for all steps and reports the first error among them.
	Sync() error
	// Close releases everything. The device must not be used afterwards.
	Close() error
}

// A Timer is a device with a clock of its own, which does not count the time that the host takes to start a step.
type Timer interface {
	// Time runs the steps in order, twice, and writes to times how long each took the second time.
	Time(steps []Step, times []time.Duration) error
}

// A Rated device knows from its data sheet what it reaches at best.
type Rated interface {
	// Peaks returns the floating-point operations of a precision and the bytes from and to memory that it can do in a second.
	Peaks(p Precision) (flops, bytes float64, err error)
}

// A MemoryReporter is a device that knows how much of its memory is left.
type MemoryReporter interface {
	// Free returns the bytes that can still be allocated.
	Free() (int64, error)
}

// A Feeder is a device that can copy from the host while steps run.
type Feeder interface {
	// NewInlet returns an inlet to m, which nothing but calls that read may be bound to besides.
	NewInlet(m Mem) (Inlet, error)
}

// An Inlet fills a piece of device memory beside the order of the steps: the next batch arrives while the device trains on this one. The
// calls come in this order: Send, Receive, steps that read the memory, Release, and again.
type Inlet interface {
	// Send starts to copy the parts, each to the next multiple of Align. The copy waits for the steps before the last Release and for no others. The
	// parts are the caller's again when Send returns.
	Send(parts ...[]byte) error
	// Receive makes the steps that are started from now on wait for what was sent last.
	Receive() error
	// Release says that the steps started so far are the last that read what was received.
	Release() error
}
