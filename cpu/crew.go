package cpu

import (
	"sync"
	"sync/atomic"
)

// A crew is a fixed set of workers that share the tasks of one phase at a time. Worker 0 is the goroutine that calls run,
// so a crew of one has no goroutines at all.
type crew struct {
	size int
	wake []chan struct{} // of workers 1 to size-1; closed by stop

	// The phase in progress: written before the workers are woken.
	task  func(task, worker int)
	tasks int64
	next  atomic.Int64
	busy  sync.WaitGroup
}

func newCrew(size int) *crew {
	c := &crew{size: size, wake: make([]chan struct{}, size-1)}
	for i := range c.wake {
		c.wake[i] = make(chan struct{}, 1)
		go c.work(c.wake[i], i+1)
	}
	return c
}

func (c *crew) work(wake <-chan struct{}, worker int) {
	for range wake {
		c.take(worker)
		c.busy.Done()
	}
}

// take runs tasks until none is left. Which worker runs which task is left to chance; no result depends on it.
func (c *crew) take(worker int) {
	for {
		t := c.next.Add(1) - 1
		if t >= c.tasks {
			return
		}
		c.task(int(t), worker)
	}
}

// run runs task(0, w) to task(n-1, w), each once, where w is the worker's number, and returns when all are done.
func (c *crew) run(n int, task func(task, worker int)) {
	helpers := min(n, c.size) - 1
	if helpers <= 0 {
		for t := range n {
			task(t, 0)
		}
		return
	}
	c.task, c.tasks = task, int64(n)
	c.next.Store(0)
	c.busy.Add(helpers)
	for _, w := range c.wake[:helpers] {
		w <- struct{}{}
	}
	c.take(0)
	c.busy.Wait()
}

// stop ends the workers. No run may be in progress or follow.
func (c *crew) stop() {
	for _, w := range c.wake {
		close(w)
	}
	c.wake, c.size = nil, 1
}
