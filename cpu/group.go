package cpu

import (
	"fmt"

	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
)

// A step of a small network is fifty phases, and in each the activations of the whole batch pass through a cache that does not hold them. So
// its calls are run as a group: a task takes a few samples at a time through all of them, forward and backward, and the gradients of
// parameters, which each task sums for its samples, are added up afterwards in the order of the tasks. How samples are shared out depends on
// the batch alone.

const (
	groupTasks  = 16        // tasks of a group, at most
	groupBytes  = 512 << 10 // what the activations and gradients of the samples that a task takes at a time should occupy
	sampleBytes = 256 << 10 // traffic of a sample in one call beyond which a call is no small one
	sampleFLOPs = 4 << 20   // the same for its arithmetic
	factorLimit = 64 << 10  // floats of a filter or weight matrix
)

// sampled is a call as a group runs it.
type sampled struct {
	before []phase // what must happen before the first sample, such as packing weights
	// run computes samples [lo, hi). Those of one task follow one another, in one worker; first tells the first of them.
	run   func(task, lo, hi int, first bool, worker int)
	after []phase // what must happen after the last sample
}

// Groups implements device.Grouper.
func (d *Device) Groups(calls []device.Call) []int {
	var n []int
	for i := 0; i < len(calls); {
		size := groupSize(calls[i:])
		n = append(n, size)
		i += size
	}
	return n
}

// groupSize returns the number of calls from the first on that can be a group.
func groupSize(calls []device.Call) int {
	batch := batchOf(calls[0])
	if batch < 2 || !kernel.Available {
		return 1
	}
	size := 1
	for size < len(calls) && samples(calls[size], batch) {
		size++
	}
	if size < 4 || !samples(calls[0], batch) {
		return 1
	}
	return size
}

// batchOf returns the number of samples of a call that says so, or 0.
func batchOf(c device.Call) int {
	switch c := c.(type) {
	case device.ConvForward:
		return c.N
	case device.Gemm:
		return c.M
	}
	return 0
}

// samples reports whether c can be a part of a group on a batch: it is small, and treats samples alike, each without the others.
func samples(c device.Call, batch int) bool {
	k := c.Cost()
	if k.FLOPs/int64(batch) > sampleFLOPs || k.Bytes/int64(batch) > sampleBytes {
		return false
	}
	conv := func(v device.Conv) bool {
		return v.N == batch && v.Groups == 1 && v.K <= colsPerTask && v.FilterLen() <= factorLimit
	}
	switch c := c.(type) {
	case device.ConvForward:
		return conv(c.Conv)
	case device.ConvBackwardData:
		return conv(c.Conv)
	case device.ConvBackwardFilter:
		return conv(c.Conv) && !c.Accumulate
	case device.BiasGrad:
		return c.Rows%batch == 0 && !c.Accumulate
	case device.Gemm:
		if c.TransA {
			return c.K == batch && !c.TransB && !c.Accumulate && c.M*c.N <= factorLimit
		}
		return c.M == batch && c.N <= colsPerTask && c.K*c.N <= factorLimit
	case device.MaxPoolForward:
		return c.N == batch
	case device.MaxPoolBackward:
		return c.N == batch
	case device.AvgPoolForward:
		return c.N == batch
	case device.AvgPoolBackward:
		return c.N == batch
	case device.ActForward:
		return c.N%batch == 0
	case device.ActBackward:
		return c.N%batch == 0
	case device.Add:
		return c.N%batch == 0
	case device.Copy:
		return c.Rows == 1 && c.Cols%batch == 0
	case device.SoftmaxCrossEntropy:
		return c.Rows == batch
	}
	return false
}

// mayJoin reports whether a call may be a part of a group, for all that is known without the batch.
func mayJoin(c device.Call) bool {
	switch c := c.(type) {
	case device.ConvForward:
		return samples(c, c.N)
	case device.ConvBackwardData:
		return samples(c, c.N)
	case device.ConvBackwardFilter:
		return samples(c, c.N)
	case device.BiasGrad:
		return samples(c, c.Rows)
	case device.Gemm:
		if c.TransA {
			return samples(c, c.K)
		}
		return samples(c, c.M)
	case device.SoftmaxCrossEntropy:
		return samples(c, c.Rows)
	}
	return false
}

// meet reports whether two operands share memory.
func meet(m, o device.Mem) bool {
	return m.Arena == o.Arena && m.Off < o.Off+o.Len && o.Off < m.Off+m.Len
}

// overwritten reports whether a call that follows writes to what a product that a group puts off still reads.
func overwritten(g device.Gemm, later []device.Call) bool {
	for _, c := range later {
		var to device.Mem
		switch c := c.(type) {
		case device.ConvForward:
			to = c.Y
		case device.ConvBackwardData:
			to = c.DX
		case device.Gemm:
			to = c.C
		case device.MaxPoolForward:
			to = c.Y
		case device.MaxPoolBackward:
			to = c.DX
		case device.AvgPoolForward:
			to = c.Y
		case device.AvgPoolBackward:
			to = c.DX
		case device.ActForward:
			to = c.Y
		case device.ActBackward:
			to = c.DX
		case device.Add:
			to = c.Y
		case device.Copy:
			to = c.Dst
		case device.SoftmaxCrossEntropy:
			to = c.DLogits
		}
		if meet(g.A, to) || meet(g.B, to) {
			return true
		}
	}
	return false
}

// oneByOne binds calls that cannot be run as a group after all.
func (d *Device) oneByOne(calls []device.Call) (device.Step, error) {
	steps := make([]device.Step, len(calls))
	for i, c := range calls {
		var err error
		if steps[i], err = d.Bind(c); err != nil {
			return nil, err
		}
	}
	return func() error {
		for _, s := range steps {
			if err := s(); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// BindGroup implements device.Grouper.
func (d *Device) BindGroup(calls []device.Call, inner func(device.Mem) bool) (device.Step, error) {
	if d.closed {
		return nil, errClosed
	}
	if len(calls) == 0 {
		return nil, fmt.Errorf("cpu: %w: a group without calls", device.ErrUnsupported)
	}
	batch := batchOf(calls[0])
	for i, c := range calls {
		if err := c.Check(); err != nil {
			return nil, fmt.Errorf("cpu: %w", err)
		}
		if !kernel.Available || batch < 1 || !samples(c, batch) {
			return nil, fmt.Errorf("cpu: %w: %T in a group of a batch of %d", device.ErrUnsupported, c, batch)
		}
		if g, ok := c.(device.Gemm); ok && g.TransA && overwritten(g, calls[i+1:]) {
			return d.oneByOne(calls)
		}
	}
	tasks := split(batch, groupTasks, 1)
	g := group{dev: d, tasks: tasks, batch: batch}
	var bytes int64
	for _, c := range calls {
		bytes += c.Cost().Bytes / int64(batch) / 4 // activations and gradients are written and read about twice each
	}
	st, found := findStem(calls, inner)
	for i := 0; i < len(calls); {
		b := &binder{dev: d, call: calls[i], batch: batch, parts: tasks.count}
		var s sampled
		switch {
		case found && i == st.forward:
			s = b.stemForward(calls[i:])
			i += stemForwardCalls
		case found && i == st.backward:
			s = b.stemBackward(calls[i:])
			i += stemBackwardCalls
		default:
			s = b.sampled()
			i++
		}
		if b.err != nil {
			return nil, b.err
		}
		g.add(s)
	}
	g.size = int(max(1, min(groupBytes/max(bytes, 1), int64(tasks.size))))
	g.main = phase{tasks.count, g.task}
	return g.step, nil
}

// A group is a list of calls that run as one.
type group struct {
	dev    *Device
	batch  int
	tasks  chunks // of the batch
	size   int    // samples that a task takes through all calls at a time
	before phase
	runs   []func(task, lo, hi int, first bool, worker int)
	main   phase   // the samples
	after  []phase // phase i is the i-th phase of every call that has so many
}

func (g *group) add(s sampled) {
	for _, p := range s.before {
		g.before = beside(g.before, p)
	}
	if s.run != nil {
		g.runs = append(g.runs, s.run)
	}
	for i, p := range s.after {
		if i == len(g.after) {
			g.after = append(g.after, phase{})
		}
		g.after[i] = beside(g.after[i], p)
	}
}

// beside returns the phase whose tasks are those of p and q, which do not depend on each other.
func beside(p, q phase) phase {
	if p.tasks == 0 {
		return q
	}
	return phase{p.tasks + q.tasks, func(task, worker int) {
		if task < p.tasks {
			p.run(task, worker)
		} else {
			q.run(task-p.tasks, worker)
		}
	}}
}

func (g *group) step() error {
	if g.dev.closed {
		return errClosed
	}
	c := g.dev.crew
	c.run(g.before.tasks, g.before.run)
	c.run(g.main.tasks, g.main.run)
	for i := range g.after {
		c.run(g.after[i].tasks, g.after[i].run)
	}
	return nil
}

// task takes the samples of one task through all calls.
func (g *group) task(task, worker int) {
	lo, end := g.tasks.at(task)
	for first := true; lo < end; first = false {
		hi := min(lo+g.size, end)
		for _, run := range g.runs {
			run(task, lo, hi, first, worker)
		}
		lo = hi
	}
}
