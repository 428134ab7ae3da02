package report

import (
	"context"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/train"
)

// Preview writes a contact sheet of what a network will see of the training part: a row for each of some samples, which are taken from the
// classes in turn, with the original first and then what it becomes in the first epochs. If batches are mixed, rows with the first samples of
// the first batch follow. format is "jpeg" or "png".
func Preview(ctx context.Context, w io.Writer, format string, feed *train.Feed, samples, versions int) error {
	if samples < 1 || versions < 1 {
		return fmt.Errorf("preview: want at least one sample and one version, got %d and %d: %w", samples, versions, ErrInput)
	}
	set := feed.Source.Train
	var tiles []Tile
	var work augment.Work
	x := make([]float32, feed.Pipe.Len())
	for _, i := range data.Balanced(set, samples) {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, err := thumbnail(set, i, &work)
		if err != nil {
			return err
		}
		name := path.Base(filepath.ToSlash(set.Name(i)))
		tiles = append(tiles, Tile{W: m.W, H: m.H, C: m.C, Pix: slices.Clone(m.Pix), Caption: set.Classes()[set.Label(i)] + "\n" + name, Good: true})
		for epoch := range versions {
			if err := feed.Batches.Sample(epoch, i, x); err != nil {
				return err
			}
			t, err := seen(feed.Pipe, x)
			if err != nil {
				return err
			}
			t.Caption = fmt.Sprintf("epoch %d", epoch+1)
			tiles = append(tiles, t)
		}
	}
	if feed.Batches.Mix().On() {
		b, err := feed.FirstBatch(ctx)
		if err != nil {
			return err
		}
		mixed, err := batchTiles(b, feed.Pipe, set.Classes(), 2*(1+versions))
		if err != nil {
			return err
		}
		tiles = append(tiles, mixed...)
	}
	return mosaic(w, format, tiles, 1+versions)
}

// seen is the picture behind a tensor x (H, W, C) that pipe has made.
func seen(pipe *augment.Pipeline, x []float32) (Tile, error) {
	var m data.Image
	if err := pipe.Invert(&m, x); err != nil {
		return Tile{}, err
	}
	return Tile{W: m.W, H: m.H, C: m.C, Pix: m.Pix}, nil
}
