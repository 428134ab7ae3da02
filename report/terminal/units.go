package terminal

import (
	"fmt"
	"strconv"
	"time"
)

// Bytes formats a number of bytes with a binary unit: "1.5 GiB".
func Bytes(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/unit, 0
	for v >= unit && i < 3 {
		v /= unit
		i++
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGT"[i])
}

// Count formats a number with separators: "61,100,840".
func Count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Duration formats a time for people: "45s", "2m05s", "1h02m".
func Duration(d time.Duration) string {
	d = d.Round(time.Second)
	h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case h > 0:
		return fmt.Sprintf("%dh%02dm", h, m)
	case m > 0:
		return fmt.Sprintf("%dm%02ds", m, s)
	}
	return fmt.Sprintf("%ds", s)
}

// FLOPs formats a number of operations: "1.43 GFLOPs".
func FLOPs(n int64) string {
	v := float64(n)
	for _, u := range []string{"", "K", "M", "G"} {
		if v < 1000 {
			return fmt.Sprintf("%.3g %sFLOPs", v, u)
		}
		v /= 1000
	}
	return fmt.Sprintf("%.3g TFLOPs", v)
}
