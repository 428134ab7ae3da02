//go:build !linux && !darwin

package checkpoint

// freeBytes reports that the free space is unknown.
func freeBytes(string) (int64, bool) { return 0, false }
