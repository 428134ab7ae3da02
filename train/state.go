package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/graph"
)

// progress is how far a run has come: with the weights and the optimiser's state, all that a continued run needs to equal one that was
// never stopped. Randomness needs no state, because every draw is a function of the seed and of these counters.
type progress struct {
	Epoch   int     `json:"epoch"`   // epochs finished
	Batch   int     `json:"batch"`   // batches of the next epoch that are done
	Updates int     `json:"updates"` // optimiser steps so far
	Sums    sums    `json:"sums"`    // of the epoch under way
	Rows    []Row   `json:"rows"`    // of results.csv
	Best    best    `json:"best"`
	Seconds float64 `json:"seconds"` // spent training
	Data    string  `json:"data"`    // digest of the data set
	Args    Config  `json:"args"`    // the settings that all this was done with
	Stage   int     `json:"stage"`   // of fine-tuning
	Began   int     `json:"began"`   // updates before the stage
}

// sums accumulates what a row of results.csv reports, in the order of the batches.
type sums struct {
	Loss float64 `json:"loss"` // sum over samples
	Top1 float64 `json:"top1"`
	Rows float64 `json:"rows"`
}

type best struct {
	Epoch int     `json:"epoch"` // from 1; 0: none yet
	Top1  float64 `json:"top1"`
}

const (
	stateKey   = "cnnctl.progress"
	statesKept = 2
)

// saveState writes everything into one file, so that there is no pair of files that could disagree, and removes all but the last two.
func (r *Run) saveState() error {
	meta, err := r.Spec.metadata()
	if err != nil {
		return err
	}
	r.progress.Args = r.Config
	b, err := json.Marshal(r.progress)
	if err != nil {
		return err
	}
	meta[stateKey] = string(b)
	params := r.graph.Params()
	tensors := exportTensors("model.", params, keeper{r, r.tr.Weights()}.get)
	if ema := r.tr.EMA(); ema != nil {
		tensors = append(tensors, exportTensors("ema.", params, keeper{r, ema}.get)...)
	}
	for i, name := range r.tr.States() {
		tensors = append(tensors, exportTensors("optimizer."+name+".", r.trainable(), func(p *graph.Param, dst []float32) error {
			return r.tr.GetState(i, p, dst)
		})...)
	}
	if err := checkpoint.Write(r.Dir.File("state", fmt.Sprintf("step-%09d.safetensors", r.progress.Updates)), tensors, meta); err != nil {
		return err
	}
	files, err := r.stateFiles()
	if err != nil {
		return err
	}
	for _, f := range files[min(statesKept, len(files)):] {
		if err := os.Remove(f); err != nil {
			return fmt.Errorf("removing an old checkpoint: %w", err)
		}
	}
	return nil
}

// stateFiles lists the state files, the newest first.
func (r *Run) stateFiles() ([]string, error) {
	files, err := filepath.Glob(r.Dir.File("state", "step-*.safetensors"))
	slices.Sort(files)
	slices.Reverse(files)
	return files, err
}

// loadState restores the newest state whose digests hold, and sets damaged ones aside. It returns false if the run has not saved any.
func (r *Run) loadState() (bool, error) {
	files, err := r.stateFiles()
	if err != nil || len(files) == 0 {
		return false, err
	}
	var errs []error
	for i, path := range files {
		err := r.readState(path)
		if err == nil {
			return true, setAside(files[:i])
		}
		if !damaged(err) {
			return false, err
		}
		errs = append(errs, err)
		if i+1 < len(files) {
			r.notify(Warning{Message: fmt.Sprintf("%v; falling back to the checkpoint before it, %s", err, files[i+1])})
		}
	}
	return false, fmt.Errorf("%w: none of its checkpoints can be read, so it cannot be continued: %w", ErrRun, errors.Join(errs...))
}

// damaged reports that a state file is not what was written, whatever has become of it.
func damaged(err error) bool {
	return errors.Is(err, checkpoint.ErrCorrupt) || errors.Is(err, checkpoint.ErrFormat) || errors.Is(err, checkpoint.ErrNoDigests)
}

// setAside renames damaged state files. Under their own names they would count as the newest for ever, and the two that are kept would be one
// in truth.
func setAside(files []string) error {
	for _, f := range files {
		if err := os.Rename(f, f+".damaged"); err != nil {
			return fmt.Errorf("setting a damaged checkpoint aside: %w", err)
		}
	}
	return nil
}

func (r *Run) readState(path string) error {
	f, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Verify(); err != nil {
		return err
	}
	var p progress
	if err := json.Unmarshal([]byte(f.Metadata()[stateKey]), &p); err != nil {
		return fmt.Errorf("%s: %w: its counters are unreadable: %v", path, checkpoint.ErrCorrupt, err)
	}
	if names := p.Args.changed(r.before); len(names) > 0 {
		return fmt.Errorf("%w: args.yaml is not what the run was trained with: %s differ from %s; restore them, or start a new run", ErrRun, strings.Join(names, ", "), path)
	}
	if p.Data != r.source.Digest {
		return fmt.Errorf("%w: the data set %s is not the one that the run began with; restore it, or start a new run", ErrRun, r.Config.Data)
	}
	params := r.graph.Params()
	if err := importTensors(f, "model.", params, keeper{r, r.tr.Weights()}.set); err != nil {
		return err
	}
	if ema := r.tr.EMA(); ema != nil {
		if err := importTensors(f, "ema.", params, keeper{r, ema}.set); err != nil {
			return err
		}
	}
	if p.Stage < 0 || p.Stage >= len(r.stages) {
		return fmt.Errorf("%s: %w: its stage %d is none of %d", path, checkpoint.ErrCorrupt, p.Stage, len(r.stages))
	}
	r.setStage(p.Stage)
	r.tr.Resume(p.Began)
	for i, name := range r.tr.States() {
		err := importTensors(f, "optimizer."+name+".", r.trainable(), func(p *graph.Param, first int, src []float32) error {
			return r.tr.SetStatePart(i, p, first, src)
		})
		if err != nil {
			return err
		}
	}
	r.progress = p
	return nil
}

// trainable lists the parameters that the stage under way trains.
func (r *Run) trainable() []*graph.Param {
	return slices.DeleteFunc(slices.Clone(r.tr.Weights().Graph().Params()), func(p *graph.Param) bool { return !p.Trainable() })
}
