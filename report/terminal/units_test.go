package terminal

import (
	"testing"
	"time"
)

func TestUnits(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Bytes(0), "0 B"}, {Bytes(1023), "1023 B"}, {Bytes(1024), "1.0 KiB"}, {Bytes(1536 << 20), "1.5 GiB"}, {Bytes(5 << 40), "5.0 TiB"},
		{Count(0), "0"}, {Count(999), "999"}, {Count(1000), "1,000"}, {Count(61100840), "61,100,840"}, {Count(-1234), "-1,234"}, {Count(-123), "-123"},
		{Duration(0), "0s"}, {Duration(59499 * time.Millisecond), "59s"}, {Duration(125 * time.Second), "2m05s"}, {Duration(3720 * time.Second), "1h02m"},
		{FLOPs(999), "999 FLOPs"}, {FLOPs(1430e6), "1.43 GFLOPs"}, {FLOPs(5e12), "5 TFLOPs"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
