package graph

import (
	"cmp"
	"slices"

	"github.com/cnnctl/cnnctl/device"
)

// buffer is a piece of the arena with the time in which its contents matter: from the first call that touches it to the last.
type buffer struct {
	id          int
	kind        bufKind
	typ         device.Type // of its elements
	bytes       int64
	first, last int
	pinned      bool // lives through the whole program: inputs, what was derived, and what the host reads afterwards
	off         int64

	// mayReplace is an input of call replaceAt which this buffer, that call's output, may overwrite.
	mayReplace *buffer
	replaceAt  int
	into       *buffer // the buffer that this one shares memory with, after unite
}

func (b *buffer) owner() *buffer {
	for b.into != nil {
		b = b.into
	}
	return b
}

func (b *buffer) offset() int64 { return b.owner().off }

// size is what the buffer takes in the arena.
func (b *buffer) size() int64 { return device.AlignUp(b.bytes) }

func (b *buffer) overlaps(o *buffer) bool { return b.first <= o.last && o.first <= b.last }

// unite lets an in-place call's output take over the memory of its input where the input has no later use.
func unite(bufs []*buffer) {
	for _, b := range bufs {
		if b.mayReplace == nil || b.pinned {
			continue
		}
		src := b.mayReplace.owner()
		if src != b && !src.pinned && src.bytes == b.bytes && src.last == b.replaceAt && b.first == b.replaceAt {
			src.last = b.last
			b.into = src
		}
	}
}

// layout assigns offsets so that buffers alive at the same time do not overlap, and returns the size of the arena and the largest sum of
// sizes alive at one time, below which no layout can get.
//
// The problem is NP-hard (dynamic storage allocation). Placing buffers one by one into the lowest gap that fits is close to optimal for
// networks if the order is right, and which order is depends on the network: so several are tried, and the best is kept.
func layout(bufs []*buffer, calls int) (arena, peak int64) {
	var own []*buffer
	for _, b := range bufs {
		if b.pinned {
			b.first, b.last = 0, calls
		}
		if b.into == nil {
			own = append(own, b)
		}
	}
	peak, top := peakLive(own, calls)
	bySize := func(a, b *buffer) int { return cmp.Or(cmp.Compare(b.bytes, a.bytes), cmp.Compare(a.id, b.id)) }
	byFirst := func(a, b *buffer) int { return cmp.Or(cmp.Compare(a.first, b.first), bySize(a, b)) }
	byLife := func(a, b *buffer) int {
		return cmp.Or(cmp.Compare(b.last-b.first, a.last-a.first), bySize(a, b))
	}
	byArea := func(a, b *buffer) int {
		area := func(x *buffer) int64 { return x.bytes * int64(x.last-x.first+1) }
		return cmp.Or(cmp.Compare(area(b), area(a)), cmp.Compare(a.id, b.id))
	}
	// What is alive at the peak has no slack: it goes first, the rest into what it leaves.
	byPeak := func(a, b *buffer) int {
		rest := func(x *buffer) int {
			if x.first <= top && top <= x.last {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(rest(a), rest(b)), byLife(a, b))
	}
	best := int64(-1)
	var offsets []int64
	for _, order := range []func(a, b *buffer) int{bySize, byLife, byFirst, byArea, byPeak} {
		sorted := slices.SortedStableFunc(slices.Values(own), order)
		if n := place(sorted); best < 0 || n < best {
			best = n
			offsets = offsets[:0]
			for _, b := range own {
				offsets = append(offsets, b.off)
			}
		}
		if best == peak {
			break
		}
	}
	for i, b := range own {
		b.off = offsets[i]
	}
	return max(best, 0), peak
}

// place puts each buffer, in the given order, into the lowest gap between those placed before it that are alive with it.
func place(bufs []*buffer) (arena int64) {
	var placed []*buffer // by offset
	for _, b := range bufs {
		off := int64(0)
		for _, p := range placed {
			if !b.overlaps(p) {
				continue
			}
			if p.off-off >= b.size() {
				break
			}
			off = max(off, p.off+p.size())
		}
		b.off = off
		at, _ := slices.BinarySearchFunc(placed, b, func(a, b *buffer) int { return cmp.Or(cmp.Compare(a.off, b.off), cmp.Compare(a.id, b.id)) })
		placed = slices.Insert(placed, at, b)
		arena = max(arena, off+b.size())
	}
	return arena
}

// peakLive returns the largest sum of the sizes of buffers that are alive during one call, and the first such call.
func peakLive(bufs []*buffer, calls int) (peak int64, call int) {
	change := make([]int64, calls+2)
	for _, b := range bufs {
		change[b.first] += b.size()
		change[b.last+1] -= b.size()
	}
	var live int64
	for i, c := range change {
		if live += c; live > peak {
			peak, call = live, i
		}
	}
	return peak, call
}
