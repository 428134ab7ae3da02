package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/data/loader"
	"github.com/cnnctl/cnnctl/report/tensorboard"
	"github.com/cnnctl/cnnctl/train"
)

// Run leaves a run's pictures and TensorBoard events in its directory.
type Run struct {
	run *train.Run
	tb  *tensorboard.Writer
	err error // the first that came up between two calls
}

// sheetTiles is the number of pictures on a contact sheet.
const sheetTiles = 64

// Open writes train_batch0.jpg and then follows the run's events.
func Open(ctx context.Context, run *train.Run) (*Run, error) {
	r := &Run{run: run}
	if err := r.trainBatch(ctx); err != nil {
		return nil, err
	}
	tb, err := tensorboard.New(run.Dir.Path, time.Now())
	if err != nil {
		return nil, err
	}
	r.tb = tb
	run.Observe(r.observe)
	return r, nil
}

func (r *Run) observe(e train.Event) {
	done, ok := e.(train.EpochDone)
	if !ok || r.err != nil {
		return
	}
	now := time.Now()
	for _, s := range []struct {
		tag   string
		value float64
	}{
		{"train/loss", done.TrainLoss}, {"train/accuracy_top1", done.TrainAcc}, {"val/loss", done.ValLoss},
		{"metrics/accuracy_top1", done.Top1}, {"metrics/accuracy_top5", done.Top5}, {"lr", done.LR},
	} {
		r.err = errors.Join(r.err, r.tb.Scalar(s.tag, int64(done.Epoch), s.value, now))
	}
	r.err = errors.Join(r.err, r.tb.Flush())
}

// Close ends the TensorBoard file and reports what went wrong while the run went on.
func (r *Run) Close() error { return errors.Join(r.err, r.tb.Close()) }

// Curves draws results.png, once there is an epoch to draw.
func (r *Run) Curves() error {
	rows := r.run.Rows()
	if len(rows) == 0 {
		return nil
	}
	return r.write("results.png", func(w io.Writer) error { return Curves(w, rows) })
}

// Final draws what is known when a run has ended: the curves, and how the best weights do on the validation part. The run cannot go on
// afterwards.
func (r *Run) Final(ctx context.Context) error {
	if err := r.Curves(); err != nil {
		return err
	}
	m, err := r.run.Final(ctx)
	if err != nil {
		return err
	}
	return Evaluation(r.run.Dir.Path, m, r.run.Source().Val)
}

func (r *Run) write(name string, draw func(io.Writer) error) error {
	return writeFile(r.run.Dir.File(name), draw)
}

func writeFile(path string, draw func(io.Writer) error) error {
	if err := checkpoint.AtomicWrite(path, draw); err != nil {
		return fmt.Errorf("drawing: %w", err)
	}
	return nil
}

// trainBatch shows the first samples of the first batch as the network sees them.
func (r *Run) trainBatch(ctx context.Context) error {
	b, pipe, err := r.run.FirstBatch(ctx)
	if err != nil {
		return err
	}
	tiles, err := batchTiles(b, pipe, r.run.Spec.Classes, sheetTiles)
	if err != nil {
		return err
	}
	return r.write("train_batch0.jpg", func(w io.Writer) error { return Mosaic(w, tiles, 0) })
}

// batchTiles returns the first pictures of a batch, at most n.
func batchTiles(b *loader.Batch, pipe *augment.Pipeline, classes []string, n int) ([]Tile, error) {
	tiles := make([]Tile, min(b.N, n))
	for i := range tiles {
		t, err := seen(pipe, b.X[i*pipe.Len():(i+1)*pipe.Len()])
		if err != nil {
			return nil, err
		}
		t.Caption = mixture(b.T[i*len(classes):(i+1)*len(classes)], classes)
		tiles[i] = t
	}
	return tiles, nil
}

// mixture names the classes of a target, with their shares where MixUp or CutMix has mixed two.
func mixture(target []float32, classes []string) string {
	text := ""
	for c, share := range target {
		switch {
		case share == 1:
			return classes[c]
		case share > 0 && text != "":
			text += " + "
			fallthrough
		case share > 0:
			text += fmt.Sprintf("%s %.2f", classes[c], share)
		}
	}
	return text
}

// Evaluation writes the confusion matrix (confusion_matrix.png and .csv) and val_pred.jpg, wrongly classified samples first, into a folder.
func Evaluation(dir string, m train.Metrics, set data.Dataset) error {
	classes := set.Classes()
	path := func(name string) string { return filepath.Join(dir, name) }
	err := writeFile(path("confusion_matrix.png"), func(w io.Writer) error { return ConfusionPNG(w, m.Confusion, classes, true) })
	if err != nil {
		return err
	}
	if err := writeFile(path("confusion_matrix.csv"), func(w io.Writer) error { return ConfusionCSV(w, m.Confusion, classes) }); err != nil {
		return err
	}
	tiles, err := predictionTiles(m.Predictions, set)
	if err != nil {
		return err
	}
	return writeFile(path("val_pred.jpg"), func(w io.Writer) error { return Mosaic(w, tiles, 0) })
}

// predictionTiles picks the wrong predictions of which the network was surest, then right ones in the data set's order.
func predictionTiles(all []train.Prediction, set data.Dataset) ([]Tile, error) {
	picked := slices.Clone(all)
	slices.SortStableFunc(picked, func(a, b train.Prediction) int {
		switch aWrong, bWrong := a.Class != a.Label, b.Class != b.Label; {
		case aWrong != bWrong && aWrong:
			return -1
		case aWrong != bWrong:
			return 1
		case aWrong && a.Prob > b.Prob:
			return -1
		case aWrong && a.Prob < b.Prob:
			return 1
		}
		return 0
	})
	classes := set.Classes()
	tiles := make([]Tile, min(len(picked), sheetTiles))
	var work augment.Work
	for i := range tiles {
		p := picked[i]
		m, err := thumbnail(set, p.Index, &work)
		if err != nil {
			return nil, err
		}
		right := p.Class == p.Label
		caption := fmt.Sprintf("%s  %.2f", classes[p.Class], p.Prob)
		if !right {
			caption = fmt.Sprintf("%s / %s  %.2f", classes[p.Label], classes[p.Class], p.Prob)
		}
		tiles[i] = Tile{W: m.W, H: m.H, C: m.C, Pix: slices.Clone(m.Pix), Caption: caption, Good: right, Bad: !right}
	}
	return tiles, nil
}

// thumbnail reads a sample into work, and reduces photographs at once: a sheet of full-size ones would fill the memory.
func thumbnail(set data.Dataset, index int, work *augment.Work) (*data.Image, error) {
	const side = 224
	if err := set.Read(index, work.Image()); err != nil {
		return nil, err
	}
	if m := work.Image(); m.W > side && m.H > side {
		if err := (augment.Resize{H: side, W: side, Cover: true}).Apply(nil, work); err != nil {
			return nil, err
		}
	}
	return work.Image(), nil
}
