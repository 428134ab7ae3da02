//go:build unix

package cpu

import (
	"syscall"
	"testing"
	"time"
)

// cpuTime returns the processor time that the process has used. On a machine that does other things as well it says more about a kernel
// than the time on the wall.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
