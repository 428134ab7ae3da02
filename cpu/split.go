package cpu

// wanted is the number of tasks that a phase is cut into where its geometry allows: enough for the load to balance over the
// cores of a small machine. It must not depend on the number of threads, because where sums are cut shows in their last bits.
const wanted = 16

// grain is the number of elements from which on an elementwise task is worth handing to another goroutine.
const grain = 16 << 10

// chunks is a division of n items into count ranges of size items; the last one may be shorter.
type chunks struct{ n, size, count int }

// split divides n items into at most parts ranges of at least least items each.
func split(n, parts, least int) chunks {
	size := max((n+parts-1)/parts, least, 1)
	return chunks{n, size, (n + size - 1) / size}
}

// every divides n items into ranges of size items.
func every(n, size int) chunks { return chunks{n, size, (n + size - 1) / size} }

// at returns range i.
func (c chunks) at(i int) (lo, hi int) { return i * c.size, min((i+1)*c.size, c.n) }

// elementwise returns the phase that calls f on ranges that together make up n elements.
func elementwise(n int, f func(lo, hi int)) []phase {
	return overRows(n, 1, f)
}

// overRows returns the phase that calls f on ranges of rows, each of which is about width elements of work.
func overRows(rows, width int, f func(lo, hi int)) []phase {
	c := split(rows, 4*wanted, max(1, grain/max(width, 1)))
	return []phase{{c.count, func(task, _ int) { f(c.at(task)) }}}
}
