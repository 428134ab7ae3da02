package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/data/loader"
	"github.com/cnnctl/cnnctl/graph"
)

// progressInterval is the time between two Progress events, and between two looks at the results of steps: the device works on meanwhile.
const progressInterval = 100 * time.Millisecond

// Train runs until the last epoch, or until ctx is cancelled: then it finishes the step under way, saves, and returns an error that wraps ErrInterrupted. A loss or
// gradient that is not finite gives an error that wraps ErrDiverged; nothing of that step is saved.
func (r *Run) Train(ctx context.Context) (Finished, error) {
	already := r.found && r.complete()
	if r.Config.Epochs == 0 { // the initial weights are all that was asked for
		if err := r.saveEpoch(true); err != nil {
			return Finished{}, err
		}
	}
	for !r.complete() {
		if err := r.epoch(ctx); err != nil {
			return Finished{}, err
		}
	}
	done := r.finish(already)
	if r.logErr != nil {
		return done, fmt.Errorf("writing events.jsonl: %w", r.logErr)
	}
	return done, nil
}

// complete reports that no epoch is left to train. It looks at nothing but the state, so that a run that was killed after its last epoch does
// not go on when it is resumed.
func (r *Run) complete() bool { return r.progress.Epoch >= r.Config.Epochs || r.stale() }

// stale reports that the accuracy has not improved for as many epochs as --patience grants, and that there would be more.
func (r *Run) stale() bool {
	p := r.progress
	return r.Config.Patience > 0 && p.Epoch-p.Best.Epoch >= r.Config.Patience && p.Epoch < r.Config.Epochs
}

// Final loads the best weights and returns what they reach on the validation part. The run cannot be trained further afterwards.
func (r *Run) Final(ctx context.Context) (Metrics, error) {
	f, err := checkpoint.Open(r.Dir.File("weights", "best.safetensors"))
	if err != nil {
		return Metrics{}, err
	}
	defer f.Close()
	if err := f.Verify(); err != nil {
		return Metrics{}, err
	}
	if err := importTensors(f, "", r.graph.Params(), keeper{r, r.judged()}.set); err != nil {
		return Metrics{}, err
	}
	return r.eval.Run(ctx)
}

// Rows returns results.csv's rows. The caller must not change them.
func (r *Run) Rows() []Row { return r.progress.Rows }

// Source returns the data set.
func (r *Run) Source() *data.Source { return r.source }

// FirstBatch returns the first batch of the first epoch as the network sees it, and the pipeline that made it.
func (r *Run) FirstBatch(ctx context.Context) (*loader.Batch, *augment.Pipeline, error) {
	b, err := firstBatch(ctx, r.images)
	return b, r.pipe, err
}

func (r *Run) finish(already bool) Finished {
	p := r.progress
	f := Finished{Dir: r.Dir.Path, Epochs: p.Epoch, BestEpoch: p.Best.Epoch, BestTop1: p.Best.Top1, Seconds: p.Seconds, Early: r.stale(), Already: already}
	r.notify(f)
	return f
}

// epoch trains on what is left of one epoch, validates, and saves.
func (r *Run) epoch(ctx context.Context) error {
	p := &r.progress
	if err := r.enterStage(); err != nil {
		return err
	}
	begin := stopwatch{start: time.Now(), before: p.Seconds}
	if p.Batch == 0 {
		p.Sums = sums{}
	}
	first := p.Batch
	it := r.batches.Epoch(context.WithoutCancel(ctx), p.Epoch, first)
	defer it.Close()
	lastNote := time.Now()
	fed := r.feed(it)
	for {
		if ctx.Err() != nil {
			if err := r.collect(); err != nil {
				return err
			}
			p.Seconds = begin.total()
			return r.interrupted()
		}
		if errors.Is(fed, io.EOF) {
			break
		}
		if fed != nil {
			return fed
		}
		if err := r.step(); err != nil {
			return err
		}
		fed = r.feed(it) // while the step runs
		if n := r.Config.SaveEvery; n > 0 && p.Updates%n == 0 && p.Batch < r.batches.Batches() {
			if err := r.collect(); err != nil {
				return err
			}
			p.Seconds = begin.total()
			if err := r.saveState(); err != nil {
				return err
			}
			r.notify(Saved{Path: r.Dir.File("state"), Updates: p.Updates})
		}
		now := time.Now()
		if now.Sub(lastNote) >= r.interval || p.Batch == r.batches.Batches() {
			lastNote = now
			if err := r.collect(); err != nil {
				return err
			}
			r.notify(r.status(begin, first, it.Wait()))
			r.reportSkipped()
		} else if r.tr.Unread() == graph.MaxUnread {
			if err := r.collect(); err != nil {
				return err
			}
		}
	}
	trainTime := time.Since(begin.start)
	m, err := r.eval.Run(ctx)
	r.reportSkipped()
	if errors.Is(err, ErrDiverged) {
		return r.divergedAfter(err)
	}
	if ctx.Err() != nil {
		p.Seconds = begin.total()
		return r.interrupted()
	}
	if err != nil {
		return err
	}
	r.metrics = m
	return r.closeEpoch(begin, first, trainTime, it.Wait())
}

// closeEpoch books the epoch that was just validated and saves everything.
func (r *Run) closeEpoch(begin stopwatch, first int, trainTime, wait time.Duration) error {
	p := &r.progress
	s := p.Sums
	row := Row{Epoch: p.Epoch + 1, TrainLoss: s.Loss / s.Rows, Top1: r.metrics.Top1, Top5: r.metrics.Top5, ValLoss: r.metrics.Loss, LR: r.sched.At(p.Updates - 1)}
	samples := float64((p.Batch - first) * r.Config.Batch)
	better := p.Best.Epoch == 0 || row.Top1 > p.Best.Top1
	if better {
		p.Best = best{Epoch: row.Epoch, Top1: row.Top1}
	}
	p.Seconds = begin.total()
	row.Seconds = p.Seconds
	p.Rows = append(p.Rows, row)
	p.Epoch++
	p.Batch, p.Sums = 0, sums{}
	if err := r.saveEpoch(better); err != nil {
		return err
	}
	r.notify(EpochDone{Row: row, Epochs: r.Config.Epochs, Best: better, TrainAcc: s.Top1 / s.Rows,
		Rate: samples / trainTime.Seconds(), Wait: wait.Seconds()})
	r.notify(Saved{Path: r.Dir.File("weights", "last.safetensors"), Updates: p.Updates})
	return nil
}

// saveEpoch writes weights, state and results. The state comes after the weights: a run that is killed in between repeats the epoch and
// writes the same weights again.
func (r *Run) saveEpoch(better bool) error {
	if better {
		if err := r.saveWeights("best.safetensors"); err != nil {
			return err
		}
	}
	if err := r.saveWeights("last.safetensors"); err != nil {
		return err
	}
	if err := r.saveState(); err != nil {
		return err
	}
	return saveResults(r.Dir.File("results.csv"), r.progress.Rows)
}

func (r *Run) saveWeights(name string) error {
	return saveWeights(r.Dir.File("weights", name), r.Spec, r.graph.Params(), keeper{r, r.judged()}.get)
}

// feed hands the next batch to the device. It returns io.EOF at the end of the epoch.
func (r *Run) feed(it *loader.Iter) error {
	b, err := it.Next()
	if err != nil {
		return err
	}
	defer it.Release(b)
	return r.give(b)
}

// give hands a batch to the device, in the form that its loader has given it.
func (r *Run) give(b *loader.Batch) error {
	if b.Pix != nil {
		return r.tr.FeedPixels(b.Pix, b.Flip, b.T)
	}
	return r.tr.Feed(b.X, b.T)
}

// step starts the training on the batch that was fed. Its results are booked by collect.
func (r *Run) step() error {
	p := &r.progress
	if err := r.tr.Advance(p.Updates, float32(r.sched.At(p.Updates)), r.Config.emaDecay(p.Updates)); err != nil {
		return err
	}
	p.Updates++
	p.Batch++
	return nil
}

// collect waits for the steps that were started and books their results, in their order. It comes before everything that saves: from a step
// that has diverged on, nothing may be kept.
func (r *Run) collect() error {
	results, err := r.tr.Results()
	if err != nil {
		return err
	}
	s := &r.progress.Sums
	for _, st := range results {
		if !finite(st.Loss) || !finite(st.Norm) {
			return r.diverged(st)
		}
		s.Loss += float64(st.Loss) * float64(st.Rows)
		s.Top1 += float64(st.Top1)
		s.Rows += float64(st.Rows)
	}
	return nil
}

func finite(v float32) bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }

// diverged says where a step went wrong.
func (r *Run) diverged(st graph.StepResult) error {
	where, names, err := r.nonFinite(st.Step)
	if err != nil {
		return err
	}
	if where == "" {
		where = "the gradient's norm, which overflows although each element is finite"
	}
	return fmt.Errorf("%w in epoch %d, step %d: loss %v, gradient norm %v; the first value that is not finite came up in %s, on the batch of %s; %s",
		ErrDiverged, r.progress.Epoch+1, r.batchOf(st.Step)+1, st.Loss, st.Norm, where, names, r.advice())
}

// batchOf returns the batch of this epoch that a step was on, from 0.
func (r *Run) batchOf(step int) int { return r.progress.Batch - (r.progress.Updates - step) }

// nonFinite repeats a step of this epoch, on the same batch drawn again, and says where the first value that is not finite comes up, and the names
// of its first samples.
func (r *Run) nonFinite(step int) (where, names string, err error) {
	it := r.batches.Epoch(context.Background(), r.progress.Epoch, r.batchOf(step))
	defer it.Close()
	b, err := it.Next()
	if err != nil {
		return "", "", err
	}
	if err := r.give(b); err != nil {
		return "", "", err
	}
	if err := r.tr.Load(step); err != nil {
		return "", "", err
	}
	where, err = r.tr.FindNonFinite()
	return where, batchNames(r.source.Train, b), err
}

// divergedAfter adds to the error of a validation which layer the last update has spoilt.
func (r *Run) divergedAfter(validation error) error {
	where, _, err := r.nonFinite(r.progress.Updates - 1)
	if err != nil {
		return errors.Join(validation, err)
	}
	if where == "" {
		where = "none on the last training batch"
	}
	return fmt.Errorf("epoch %d: %w; the layer that is not finite: %s; %s", r.progress.Epoch+1, validation, where, r.advice())
}

// advice says what is left of a run that has diverged, and what to do about it.
func (r *Run) advice() string {
	kept := "nothing was saved yet"
	if r.progress.Epoch > 0 {
		kept = fmt.Sprintf("the weights up to epoch %d are kept in %s", r.progress.Epoch, r.Dir.File("weights"))
	}
	return fmt.Sprintf("%s; try a lower --lr than %g, --clip-grad 1, or a warm-up", kept, r.Config.LR)
}

// batchNames names the first samples of a batch.
func batchNames(set data.Dataset, b *loader.Batch) string {
	const most = 3
	var names []string
	for i := range min(b.N, most) {
		names = append(names, set.Name(int(b.Index[i])))
	}
	if b.N > most {
		names = append(names, "...")
	}
	return strings.Join(names, ", ")
}

// interrupted saves the run where it stands.
func (r *Run) interrupted() error {
	if err := r.saveState(); err != nil {
		return err
	}
	p := r.progress
	return fmt.Errorf("%w after %d of %d batches of epoch %d; saved; continue with: cnnctl %s --resume %s", ErrInterrupted, p.Batch, r.batches.Batches(), p.Epoch+1, r.Config.command(), r.Dir.Path)
}

// stopwatch measures the time of a run across breaks.
type stopwatch struct {
	start  time.Time
	before float64 // seconds
}

func (s stopwatch) total() float64 { return s.before + time.Since(s.start).Seconds() }

// status describes the epoch under way, of which the first batches were done before this process began.
func (r *Run) status(begin stopwatch, first int, wait time.Duration) Progress {
	p := r.progress
	steps := r.batches.Batches()
	spent := time.Since(begin.start)
	perStep := spent / time.Duration(max(p.Batch-first, 1))
	left := (r.Config.Epochs-p.Epoch)*steps - p.Batch
	return Progress{Epoch: p.Epoch + 1, Epochs: r.Config.Epochs, Step: p.Batch, Steps: steps,
		Loss: p.Sums.Loss / p.Sums.Rows, Top1: p.Sums.Top1 / p.Sums.Rows,
		Rate: float64((p.Batch-first)*r.Config.Batch) / spent.Seconds(), Wait: wait,
		ETA: perStep * time.Duration(left), LR: r.sched.At(p.Updates - 1)}
}
