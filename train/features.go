package train

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/cnnctl/cnnctl/data/loader"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/pretrained"
	"github.com/cnnctl/cnnctl/train/transfer"
)

// tail is the network behind the layer whose outputs are cached, with weights of its own.
type tail struct {
	cut     *graph.Node // of the whole network
	graph   *graph.Graph
	weights *graph.Weights
	params  map[string]*graph.Param // of graph, by name
	cache   *transfer.Cache
}

// cutTail makes the tail: everything behind the last layer that gives the same for an image each time.
func (r *Run) cutTail() error {
	t := &tail{cut: r.graph.Cut(), params: map[string]*graph.Param{}}
	if t.cut.Op == nil {
		return fmt.Errorf("%w: --strategy features: the network draws random numbers before its first frozen layer; wanted --dropout 0 or --strategy head", ErrConfig)
	}
	var err error
	if t.graph, err = r.graph.Tail(t.cut); err != nil {
		return err
	}
	for _, q := range t.graph.Params() {
		t.params[q.Name] = q
	}
	r.tail = t
	return nil
}

// loadTail gives the tail those of the whole network's weights that are its own.
func (r *Run) loadTail(dev device.Device) error {
	t := r.tail
	var err error
	if t.weights, err = graph.NewWeights(t.graph, dev); err != nil {
		return err
	}
	for _, p := range r.graph.Params() {
		q := t.params[p.Name]
		if q == nil {
			continue
		}
		v := make([]float32, p.Len())
		if err := r.weights.Get(p, v); err != nil {
			return err
		}
		if err := t.weights.Set(q, v); err != nil {
			return err
		}
	}
	return nil
}

// openFeatures computes the features, or finds them in the cache, and trains and evaluates on these.
func (r *Run) openFeatures(ctx context.Context) error {
	t, c := r.tail, r.Config
	dir, err := FeatureDir()
	if err != nil {
		return err
	}
	kind, _, _ := strings.Cut(r.tr.Device(), " ") // without the number of threads, on which nothing depends
	t.cache, err = transfer.Open(ctx, transfer.Request{Weights: r.weights, Layer: t.cut, Source: r.source, Preprocess: r.Spec.Preprocess, Workers: c.Workers, Dir: dir,
		Arithmetic: fmt.Sprintf("%s winograd %s %v jpeg %s", kind, c.Winograd, c.Precision, c.JPEG.Decide()), Precision: c.Precision,
		Progress: func(done, total int) { r.notify(Extracting{done, total}) },
		Warn:     func(text string) { r.notify(Warning{Message: text}) }})
	if err != nil {
		return err
	}
	how := "found in"
	if t.cache.Computed {
		how = "kept in"
	}
	r.tuning.notes = append(r.tuning.notes, fmt.Sprintf("features: the %v outputs of %s, %s %s", t.cut.Out, t.cut.Name, how, t.cache.Path))
	if r.batches, err = loader.NewTensors(t.cache.Train, loader.Config{Batch: c.Batch, Workers: c.Workers, Seed: c.Seed, Shuffle: true, DropLast: true}); err != nil {
		return err
	}
	r.eval, err = newEvaluator(r.judged(), r.source.Val, c.Inference(evalBatch(c.Batch)), func(batch int) (*loader.Loader, error) {
		return loader.NewTensors(t.cache.Val, loader.Config{Batch: batch, Workers: c.Workers})
	})
	return err
}

// FeatureDir returns the folder in which features are kept. It may be removed at any time; they are computed again.
func FeatureDir() (string, error) {
	dir, err := pretrained.CacheDir()
	return filepath.Join(dir, "features"), err
}
