package train

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/data/loader"
	"github.com/cnnctl/cnnctl/data/synth"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/zoo"
)

// Feed is the data side of a run: the data set, what its images become, and the batches of the training part.
type Feed struct {
	Source  *data.Source
	Spec    Spec
	Pipe    *augment.Pipeline // of the training part
	Batches *loader.Loader    // nil for AutoBatch
}

// OpenFeed opens the data that c names, decides what c leaves open (input size, augmentation), and writes the decisions back to c.
func OpenFeed(ctx context.Context, c *Config) (*Feed, error) {
	info, err := zoo.Lookup(c.Model)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	src, err := OpenData(c, info)
	if err != nil {
		return nil, err
	}
	c.Data = absolute(c.Data)
	f := &Feed{Source: src}
	if err := f.decide(ctx, c, info); err != nil {
		return nil, errors.Join(err, src.Close())
	}
	return f, nil
}

func (f *Feed) decide(ctx context.Context, c *Config, info zoo.Info) error {
	st, err := inspectData(ctx, f.Source)
	if err != nil {
		return err
	}
	in, err := chooseInput(*c, info, st)
	if err != nil {
		return err
	}
	if p := c.Preprocess; p != nil {
		in = graph.Shape{H: p.Size[0], W: p.Size[1], C: p.Channels}
	}
	c.ImageSize = in.H
	aug := augmentation(c, in, st)
	pre, err := aug.Preprocess()
	if c.Preprocess != nil {
		pre, err = *c.Preprocess, nil
	}
	if err != nil {
		return err
	}
	f.Spec = Spec{Model: c.Model, Input: [3]int{in.H, in.W, in.C}, Classes: f.Source.Train.Classes(), Preprocess: pre}
	if c.NoAug {
		f.Pipe, err = pre.Pipeline()
	} else {
		f.Pipe, err = augment.Train(aug)
	}
	if err != nil {
		return err
	}
	if c.Batch == AutoBatch { // Run.chooseBatch decides
		return nil
	}
	return f.batch(c)
}

// batch makes the loader of the training part.
func (f *Feed) batch(c *Config) (err error) {
	c.Batch = min(c.Batch, f.Source.Train.Len())
	f.Batches, err = loader.New(f.Source.Train, f.Pipe, loader.Config{Batch: c.Batch, Workers: c.Workers, Seed: c.Seed, Shuffle: true, DropLast: true,
		Mix: loader.Mix{MixUp: c.MixUp, CutMix: c.CutMix, Prob: c.MixProb, Switch: c.MixSwitch, Mode: loader.MixMode(c.MixMode)}})
	return err
}

// FirstBatch returns the first batch of the first epoch.
func (f *Feed) FirstBatch(ctx context.Context) (*loader.Batch, error) {
	return firstBatch(ctx, f.Batches)
}

func firstBatch(ctx context.Context, batches *loader.Loader) (*loader.Batch, error) {
	it := batches.Epoch(ctx, 0, 0)
	defer it.Close()
	return it.Next()
}

// absolute makes the path of a data set independent of the working directory, from which a run may be continued or evaluated later. The name of an
// embedded set stays as it is.
func absolute(data string) string {
	if slices.Contains(synth.Names(), data) {
		return data
	}
	if abs, err := filepath.Abs(data); err == nil {
		return abs
	}
	return data
}
