package cpu

import (
	"bytes"
	"math"
	"os"
	"strconv"
)

// available returns the bytes that can be allocated before the machine swaps or the container is killed, where the
// system tells. Go cannot report a failed allocation: the process dies, or is killed when it touches the pages. Asking
// first turns that into an error.
func available() (free int64, known bool) {
	free = math.MaxInt64
	if v, ok := memAvailable(); ok {
		free, known = v, true
	}
	limit, okLimit := readInt("/sys/fs/cgroup/memory.max") // "max" where there is no limit
	used, okUsed := readInt("/sys/fs/cgroup/memory.current")
	if okLimit && okUsed {
		// Pages of the file cache count as used although the kernel gives them up on demand.
		free, known = min(free, max(0, limit-used+statInt("/sys/fs/cgroup/memory.stat", "inactive_file"))), true
	}
	return free, known
}

// Free implements device.MemoryReporter. Where the system does not tell, there is no bound.
func (d *Device) Free() (int64, error) {
	free, _ := available()
	return free, nil
}

// memAvailable is MemAvailable of /proc/meminfo, in bytes.
func memAvailable() (int64, bool) {
	kb := statInt("/proc/meminfo", "MemAvailable:")
	return kb << 10, kb > 0
}

func readInt(path string) (int64, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	v, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	return v, err == nil
}

// statInt returns the number after key in a file of lines "key number ...", or 0.
func statInt(path, key string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) >= 2 && string(f[0]) == key {
			v, _ := strconv.ParseInt(string(f[1]), 10, 64)
			return v
		}
	}
	return 0
}
