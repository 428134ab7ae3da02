package cpu

import (
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cnnctl/cnnctl/cpu/kernel"
)

// A crew is a fixed set of workers that share the tasks of one phase at a time. Worker 0 is the goroutine that calls run,
// so a crew of one has no goroutines at all.
//
// A training step of a small network is some fifty phases of ten to a hundred microseconds, while to wake a goroutine takes five or more. So
// a worker that has run out of tasks looks for the next phase for a while before it sleeps. And run never waits for a worker
// that has not come: on a busy machine it does the tasks itself, and waits for those alone that are in progress.
type crew struct {
	size    int
	helpers []*helper // workers 1 to size-1

	// The phase in progress: written before it is opened, and not again before the last worker has left it.
	task      func(task, worker int)
	tasks     int64
	backwards bool // from the last task to the first
	next      atomic.Int64

	// state is the number of the phase, whether workers may enter it, and how many are in it.
	state atomic.Uint64
	ended atomic.Bool

	yielded []yield // by worker
}

// A yield is when a worker last left its processor to others for a moment. Each lies on a cache line of its own.
type yield struct {
	at time.Time
	_  [64 - unsafe.Sizeof(time.Time{})]byte
}

const (
	inside = 1<<20 - 1 // bits of state: workers in the phase
	open   = 1 << 20
	serial = 1 << 21 // one more phase
)

// A helper is a worker with a goroutine of its own.
type helper struct {
	worker   int
	sleeping atomic.Bool
	wake     chan struct{}
}

// patience is how long a worker without work stays awake. It covers the phases that have work for one alone, and the last tasks of the others.
const patience = time.Millisecond

// slice is for how long a worker works before it yields. After 10 ms the runtime would take its processor away instead.
const slice = 4 * time.Millisecond

func newCrew(size int) *crew {
	spareProcessor(size)
	c := &crew{size: size, yielded: make([]yield, size)}
	for i := 1; i < size; i++ {
		h := &helper{worker: i, wake: make(chan struct{}, 1)}
		c.helpers = append(c.helpers, h)
		go c.work(h)
	}
	return c
}

// spareProcessor gives the runtime one processor more than a crew has workers. Workers spend their time in C, and there the runtime takes their
// processors away after 20 µs, over and over, for fear that somebody may want them, unless it knows of one that is idle.
func spareProcessor(workers int) {
	if kernel.Available && workers > 1 && runtime.GOMAXPROCS(0) <= workers {
		runtime.GOMAXPROCS(workers + 1)
	}
}

func (c *crew) work(h *helper) {
	seen := uint64(0)
	for c.await(h, &seen) {
		c.take(h.worker)
		c.state.Add(^uint64(0)) // leave
	}
}

// await waits for a phase after the one that was seen, enters it and reports true; or false if the crew has stopped.
func (c *crew) await(h *helper, seen *uint64) bool {
	idle := time.Now()
	for {
		s := c.state.Load()
		if phase := s / serial; phase != *seen && s&open != 0 {
			if c.state.CompareAndSwap(s, s+1) {
				*seen = phase
				return true
			}
			continue
		}
		if c.ended.Load() {
			return false
		}
		if time.Since(idle) < patience {
			kernel.Wait(&c.state, s, patience)
			continue
		}
		h.sleeping.Store(true)
		// A phase that was opened before the flag was set has woken nobody.
		missed := c.ended.Load()
		if s := c.state.Load(); s/serial != *seen && s&open != 0 {
			missed = true
		}
		if !missed || !h.sleeping.CompareAndSwap(true, false) {
			<-h.wake
		}
		idle = time.Now()
	}
}

// take runs tasks until none is left. Which worker runs which task is left to chance; no result depends on it.
func (c *crew) take(worker int) {
	for {
		t := c.next.Add(1) - 1
		if t >= c.tasks {
			return
		}
		if c.backwards {
			t = c.tasks - 1 - t
		}
		c.task(int(t), worker)
		if now := time.Now(); now.Sub(c.yielded[worker].at) > slice {
			c.yielded[worker].at = now
			runtime.Gosched()
		}
	}
}

// run runs task(0, w) to task(n-1, w), each once, where w is the worker's number, and returns when all are done. A large phase takes its tasks in the
// opposite order of the last one: what that one touched last is what the caches still hold of arrays that are larger than they are.
func (c *crew) run(n int, task func(task, worker int)) {
	if n <= 1 || c.size == 1 {
		for t := range n {
			task(t, 0)
		}
		return
	}
	if n >= wanted {
		c.backwards = !c.backwards
	}
	c.task, c.tasks = task, int64(n)
	c.next.Store(0)
	s := (c.state.Load()/serial+1)*serial | open
	c.state.Store(s)
	for _, h := range c.helpers[:min(n, c.size)-1] {
		c.rouse(h)
	}
	c.take(0)
	// All tasks are taken. Close the phase to workers that are late, and wait for those that are in it.
	for s := c.state.Load(); !c.state.CompareAndSwap(s, s&^open); s = c.state.Load() {
	}
	for s := c.state.Load(); s&inside != 0; s = c.state.Load() {
		kernel.Wait(&c.state, s, patience)
	}
}

// rouse wakes a helper if it sleeps.
func (c *crew) rouse(h *helper) {
	if h.sleeping.Load() && h.sleeping.CompareAndSwap(true, false) {
		h.wake <- struct{}{}
	}
}

// stop ends the workers. No run may be in progress or follow.
func (c *crew) stop() {
	c.ended.Store(true)
	for _, h := range c.helpers {
		c.rouse(h)
	}
	c.helpers, c.size = nil, 1
}
