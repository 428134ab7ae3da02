package bench

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/cnnctl/cnnctl/data/loader"
)

// DataResult is the throughput of a loader.
type DataResult struct {
	Images  int
	Elapsed time.Duration
}

// Rate returns images a second.
func (d DataResult) Rate() float64 { return float64(d.Images) / d.Elapsed.Seconds() }

// Data draws batches for about as long as asked, after one batch that is not counted, and throws them away.
func Data(ctx context.Context, l *loader.Loader, atLeast time.Duration) (DataResult, error) {
	var r DataResult
	begin := time.Now()
	warm := true
	for epoch := 0; r.Elapsed < atLeast; epoch++ {
		it := l.Epoch(ctx, epoch, 0)
		for r.Elapsed < atLeast {
			b, err := it.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				it.Close()
				return r, err
			}
			if warm {
				warm = false
				begin = time.Now()
			} else {
				r.Images += b.N
			}
			it.Release(b)
			r.Elapsed = time.Since(begin)
		}
		it.Close()
	}
	return r, nil
}
