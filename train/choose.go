package train

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/loader"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/train/transfer"
)

// choosePerClass bounds the images of each class that the choice of a strategy looks at.
const choosePerClass = 40

// choose replaces the strategy auto by the one that suits the data. The decision becomes a part of the settings, so that a continued run does not
// take it again.
func (r *Run) choose(ctx context.Context, dev device.Device) error {
	head, err := transfer.Strategy{Kind: transfer.Head}.Plan(r.graph, false)
	if err != nil {
		return err
	}
	r.graph.Thaw(head.Thaw)
	// These weights live beside the run's until it ends: a device takes no memory back. Their batch is small.
	w, err := graph.NewWeights(r.graph, dev)
	if err != nil {
		return err
	}
	in := graph.Shape{H: r.Spec.Input[0], W: r.Spec.Input[1], C: r.Spec.Input[2]}
	if err := r.tuning.from.loadBody(w, in); err != nil {
		return err
	}
	features, labels, err := r.sampleFeatures(ctx, w)
	if err != nil {
		return err
	}
	perClass := r.source.Train.Len() / len(r.Spec.Classes)
	s, why := transfer.Choose(perClass, transfer.Separation(features, labels, len(r.Spec.Classes)))
	r.tuning.strategy, r.Config.Strategy = s, s.String()
	r.tuning.notes = append(r.tuning.notes, fmt.Sprintf("auto: %v, because %s", s, why))
	return nil
}

// sampleFeatures returns the features of some images of each class behind the last layer that the head reads, with their labels: the mean of
// each channel over the pixels.
func (r *Run) sampleFeatures(ctx context.Context, w *graph.Weights) (rows [][]float32, labels []int, err error) {
	const batch = 8
	cut := transfer.HeadParams(r.graph)[0].Node().In[0]
	program, err := graph.CompileFeatures(r.graph, w, cut, r.Config.Inference(batch))
	if err != nil {
		return nil, nil, err
	}
	var index []int
	taken := make([]int, len(r.Spec.Classes))
	for i := range r.source.Train.Len() {
		if c := r.source.Train.Label(i); taken[c] < choosePerClass {
			taken[c]++
			index = append(index, i)
		}
	}
	set, err := data.Subset(r.source.Train, index)
	if err != nil {
		return nil, nil, err
	}
	pipe, err := r.Spec.Preprocess.Pipeline()
	if err != nil {
		return nil, nil, err
	}
	l, err := loader.New(set, pipe, loader.Config{Batch: batch, Workers: r.Config.Workers})
	if err != nil {
		return nil, nil, err
	}
	it := l.Epoch(ctx, 0, 0)
	defer it.Close()
	out := make([]float32, batch*program.Size())
	for {
		b, err := it.Next()
		if errors.Is(err, io.EOF) {
			return rows, labels, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if err := program.Run(b.X, out); err != nil {
			return nil, nil, err
		}
		for i := range b.N {
			rows = append(rows, channelMeans(out[i*program.Size():(i+1)*program.Size()], cut.Out))
			labels = append(labels, int(b.Labels[i]))
		}
		it.Release(b)
	}
}

// channelMeans returns the mean over the pixels of x (H, W, C), or x itself if it is flat.
func channelMeans(x []float32, s graph.Shape) []float32 {
	if s.Flat {
		return append([]float32(nil), x...)
	}
	sum := make([]float64, s.C)
	for i, v := range x {
		sum[i%s.C] += float64(v)
	}
	mean := make([]float32, s.C)
	for c, v := range sum {
		mean[c] = float32(v / float64(s.H*s.W))
	}
	return mean
}
