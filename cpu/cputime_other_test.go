//go:build !unix

package cpu

import (
	"testing"
	"time"
)

var start = time.Now()

// cpuTime is the time on the wall where the system has no other.
func cpuTime(testing.TB) time.Duration { return time.Since(start) }
