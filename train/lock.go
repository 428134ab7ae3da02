package train

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// lock is an advisory lock on a folder, with a file beside it that names the holder. The kernel drops the lock when the process ends,
// however that happens, so that a killed run leaves nothing to be cleaned up.
type lock struct{ f *flock.Flock }

func takeLock(dir string) (*lock, error) {
	l := &lock{flock.New(filepath.Join(dir, ".lock"))}
	holder := filepath.Join(dir, ".holder")
	ok, err := l.f.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	if !ok {
		by := "another process"
		if b, err := os.ReadFile(holder); err == nil && len(b) > 0 { // empty: it took the lock a moment ago
			by = strings.TrimSpace(string(b))
		}
		return nil, fmt.Errorf("%w: %s is in use by %s; wait for that process or stop it", ErrRun, dir, by)
	}
	host, _ := os.Hostname()
	if err := os.WriteFile(holder, fmt.Appendf(nil, "process %d on %s\n", os.Getpid(), host), 0o666); err != nil {
		l.f.Unlock()
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	return l, nil
}

func (l *lock) release() error { return l.f.Unlock() }
