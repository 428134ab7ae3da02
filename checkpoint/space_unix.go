//go:build linux || darwin

package checkpoint

import (
	"math"

	"golang.org/x/sys/unix"
)

// freeBytes returns the space that an ordinary user may still fill.
func freeBytes(dir string) (int64, bool) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return 0, false
	}
	block := uint64(st.Bsize)
	if block != 0 && st.Bavail > math.MaxInt64/block {
		return math.MaxInt64, true
	}
	return int64(st.Bavail * block), true
}
