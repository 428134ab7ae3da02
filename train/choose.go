package train

import (
	"context"
	"fmt"

	"github.com/cnnctl/cnnctl/data"
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

// sampleFeatures returns the features of some images of each class, with their labels.
func (r *Run) sampleFeatures(ctx context.Context, w *graph.Weights) (rows [][]float32, labels []int, err error) {
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
	return transfer.Samples{Set: set, Pipe: pipe, Workers: r.Config.Workers, Precision: r.Config.Precision}.Features(ctx, w)
}
