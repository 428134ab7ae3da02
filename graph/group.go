package graph

import "github.com/cnnctl/cnnctl/device"

// groups cuts the program into what the device runs as one: the numbers of calls, in order.
func (e *Emit) groups() []int {
	list := make([]device.Call, len(e.calls))
	for i, c := range e.calls {
		list[i] = c.call
	}
	if g, ok := e.dev.(device.Grouper); ok {
		return g.Groups(list)
	}
	sizes := make([]int, len(list))
	for i := range sizes {
		sizes[i] = 1
	}
	return sizes
}

// widen lets buffers live as long as the groups in which they are touched for the first and the last time, and returns a function that takes
// that back: what replaces what, within a group, goes by single calls.
func widen(bufs []*buffer, groups []int) (undo func()) {
	type life struct{ first, last int }
	was := make([]life, len(bufs))
	var begin, end []int // of the group of each call
	for _, n := range groups {
		first := len(begin)
		for range n {
			begin, end = append(begin, first), append(end, first+n-1)
		}
	}
	for i, b := range bufs {
		was[i] = life{b.first, b.last}
		if b.first >= 0 {
			b.first, b.last = begin[b.first], end[b.last]
		}
	}
	return func() {
		for i, b := range bufs {
			b.first, b.last = was[i].first, was[i].last
		}
	}
}

// runs binds the groups of a program whose calls are bound one by one.
func (e *Emit) runs() ([]device.Step, error) {
	var list []device.Step
	at := 0
	for _, n := range e.grouped {
		if n == 1 {
			list = append(list, e.steps[at])
			at++
			continue
		}
		calls := make([]device.Call, n)
		for i := range calls {
			calls[i] = e.calls[at+i].call
		}
		step, err := e.dev.(device.Grouper).BindGroup(calls, e.inner(at, at+n))
		if err != nil {
			return nil, err
		}
		list = append(list, step)
		at += n
	}
	return list, nil
}

// inner returns the function that tells which operands no call reads but those of the group [first, end).
func (e *Emit) inner(first, end int) func(device.Mem) bool {
	of := map[device.Mem]bool{}
	for _, c := range e.calls[first:end] {
		for _, b := range c.bufs {
			if o := b.owner(); !o.pinned && o.first >= first && o.last < end {
				of[e.mem(b)] = true
			}
		}
	}
	return func(m device.Mem) bool { return of[m] }
}
