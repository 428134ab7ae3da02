package transfer

import (
	"context"
	"errors"
	"io"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/data/loader"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
)

// samplesBatch is the batch size for samples: small, because a device may hold the weights of a training and its memory beside them.
const samplesBatch = 8

// Samples are images of a data set that a network is asked about, prepared as for evaluation.
type Samples struct {
	Set       data.Dataset
	Pipe      *augment.Pipeline
	Workers   int // goroutines that load images
	Precision device.Precision
}

// Pick takes n images, from each class in turn.
func (s Samples) Pick(n int) (Samples, error) {
	var err error
	s.Set, err = data.Subset(s.Set, data.Balanced(s.Set, n))
	return s, err
}

// Outputs calls each with the output (H, W, C) of a node for every sample, which is overwritten afterwards, and its label. Errors are those of reading
// the images, of the device, or ctx's.
func (s Samples) Outputs(ctx context.Context, w *graph.Weights, n *graph.Node, each func(out []float32, label int)) error {
	program, err := graph.CompileFeatures(w.Graph(), w, n, graph.InferConfig{Batch: samplesBatch, Precision: s.Precision})
	if err != nil {
		return err
	}
	l, err := loader.New(s.Set, s.Pipe, loader.Config{Batch: samplesBatch, Workers: s.Workers})
	if err != nil {
		return err
	}
	it := l.Epoch(ctx, 0, 0)
	defer it.Close()
	size := program.Size()
	out := make([]float32, samplesBatch*size)
	for {
		b, err := it.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := program.Run(b.X, out); err != nil {
			return err
		}
		for i := range b.N {
			each(out[i*size:(i+1)*size], int(b.Labels[i]))
		}
		it.Release(b)
	}
}

// Features returns what the head reads of each sample, the mean of each channel over the pixels, and the labels. Errors are those of Outputs.
func (s Samples) Features(ctx context.Context, w *graph.Weights) (rows [][]float32, labels []int, err error) {
	n := HeadParams(w.Graph())[0].Node().In[0]
	c := Channels(n.Out)
	sum := make([]float64, c)
	err = s.Outputs(ctx, w, n, func(out []float32, label int) {
		clear(sum)
		for i, v := range out {
			sum[i%c] += float64(v)
		}
		mean := make([]float32, c)
		for i, v := range sum {
			mean[i] = float32(v / float64(len(out)/c))
		}
		rows, labels = append(rows, mean), append(labels, label)
	})
	return rows, labels, err
}

// Channels is the number of values of an output that have statistics of their own: its channels, or all that is flat.
func Channels(s graph.Shape) int {
	if s.Flat {
		return s.Size()
	}
	return s.C
}
