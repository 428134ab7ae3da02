package terminal

import (
	"fmt"
	"time"
)

// A Download shows how a file is being fetched.
type Download struct {
	p       *Printer
	now     func() time.Time
	file    string
	started time.Time
	first   int64 // bytes that were there
	drawn   time.Time
}

// Download returns the display of files that are fetched, one after the other.
func (p *Printer) Download() *Download { return &Download{p: p, now: time.Now} }

// Observe shows that done of total bytes of a file are there; a total of 0 is one that nobody knows.
func (d *Download) Observe(file string, done, total int64) {
	now := d.now()
	if file != d.file {
		d.file, d.started, d.first, d.drawn = file, now, done, time.Time{}
		if d.p.width == nil {
			d.p.line("fetching %s", file)
			d.drawn = now
		}
	}
	whole := done == total
	interval := 100 * time.Millisecond
	if d.p.width == nil {
		interval = plainInterval
	}
	if !whole && now.Sub(d.drawn) < interval {
		return
	}
	d.drawn = now
	text := fmt.Sprintf("%s  %s", file, Bytes(done))
	if total > 0 {
		text += " of " + Bytes(total)
	}
	if took := now.Sub(d.started); took > 0 {
		rate := float64(done-d.first) / took.Seconds()
		text += fmt.Sprintf("  %s/s", Bytes(int64(rate)))
		if total > 0 && !whole && rate > 0 {
			text += "  ETA " + Duration(time.Duration(float64(total-done)/rate*float64(time.Second)))
		}
	}
	switch {
	case whole || d.p.width == nil:
		d.p.line("%s", text)
	default:
		const steps = 1000
		part := 0
		if total > 0 {
			part = int(steps * done / total)
		}
		d.p.redraw(part, steps, text)
	}
}
