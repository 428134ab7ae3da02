package terminal

import (
	"bytes"
	"testing"
	"time"
)

func TestDownload(t *testing.T) {
	const mib = 1 << 20
	steps := []struct {
		after       time.Duration
		done, total int64
	}{{0, 10 * mib, 100 * mib}, {50 * time.Millisecond, 11 * mib, 100 * mib}, {9950 * time.Millisecond, 50 * mib, 100 * mib}, {time.Second, 100 * mib, 100 * mib}}
	for _, c := range []struct {
		name  string
		width func() int
		want  string
	}{
		{"terminal", func() int { return 100 },
			"\r━━────────────────── net.pth  10.0 MiB of 100.0 MiB\x1b[K" +
				"\r━━━━━━━━━━────────── net.pth  50.0 MiB of 100.0 MiB  4.0 MiB/s  ETA 13s\x1b[K" +
				"\r\x1b[Knet.pth  100.0 MiB of 100.0 MiB  8.2 MiB/s\n"},
		{"file", nil, "fetching net.pth\nnet.pth  50.0 MiB of 100.0 MiB  4.0 MiB/s  ETA 13s\nnet.pth  100.0 MiB of 100.0 MiB  8.2 MiB/s\n"},
	} {
		var b bytes.Buffer
		d := (&Printer{w: &b, width: c.width}).Download()
		now := time.Unix(0, 0)
		d.now = func() time.Time { return now }
		for _, s := range steps {
			now = now.Add(s.after)
			d.Observe("net.pth", s.done, s.total)
		}
		if got := b.String(); got != c.want {
			t.Errorf("%s: got  %q\nwant %q", c.name, got, c.want)
		}
	}
	// A total that nobody knows.
	var b bytes.Buffer
	d := (&Printer{w: &b, width: func() int { return 60 }}).Download()
	d.Observe("x", 5, 0)
	if got := b.String(); got != "\r──────────── x  5 B\x1b[K" {
		t.Errorf("got %q", got)
	}
}
