package checkpoint

import (
	"context"
	"time"

	"github.com/gofrs/flock"
)

// Lock waits until no other process holds the lock on the file at path, which it creates, and takes it. The kernel drops it when its process ends,
// however that happens, so that nothing is left to be cleaned up. The error is ctx's, or one of those of [AtomicWrite].
func Lock(ctx context.Context, path string) (unlock func() error, err error) {
	const again = 100 * time.Millisecond
	l := flock.New(path)
	if _, err := l.TryLockContext(ctx, again); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, ExplainWrite(path, err)
	}
	return l.Unlock, nil
}
