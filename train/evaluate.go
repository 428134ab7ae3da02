package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/data/loader"
	"github.com/cnnctl/cnnctl/graph"
)

// Evaluator measures weights on a data set.
type Evaluator struct {
	inf     *graph.Inference
	batches *loader.Loader
	set     data.Dataset
	logits  []float32
}

// Metrics is the result of an evaluation.
type Metrics struct {
	Samples     int
	Loss        float64 // mean cross-entropy, without label smoothing
	Top1, Top5  float64 // shares, 0 to 1
	Confusion   [][]int // [true class][predicted class]
	Predictions []Prediction
}

// Prediction is what the network says of one sample.
type Prediction struct {
	Index int // in the data set
	Label int // the true class
	Class int // the predicted class
	Prob  float64
}

// NewEvaluator prepares the evaluation of w on set, in batches of at most c.Batch.
func NewEvaluator(w *graph.Weights, set data.Dataset, pipe *augment.Pipeline, c graph.InferConfig, workers int) (*Evaluator, error) {
	return newEvaluator(w, set, c, func(batch int) (*loader.Loader, error) {
		return loader.New(set, pipe, loader.Config{Batch: batch, Workers: workers})
	})
}

// newEvaluator is NewEvaluator for samples that open loads, in the order of the set.
func newEvaluator(w *graph.Weights, set data.Dataset, c graph.InferConfig, open func(batch int) (*loader.Loader, error)) (*Evaluator, error) {
	classes := len(set.Classes())
	if n := w.Graph().Output().Out.Size(); n != classes {
		return nil, fmt.Errorf("%w: the model has %d classes, the data set %d", ErrWeights, n, classes)
	}
	if set.Len() == 0 {
		return nil, fmt.Errorf("%w: there is no sample to evaluate", data.ErrFormat)
	}
	if c.Batch < 1 {
		return nil, fmt.Errorf("%w: --batch-size %d, wanted at least 1", ErrConfig, c.Batch)
	}
	c.Batch = min(c.Batch, set.Len())
	inf, err := graph.CompileInference(w.Graph(), w, c)
	if err != nil {
		return nil, err
	}
	l, err := open(c.Batch)
	if err != nil {
		return nil, err
	}
	return &Evaluator{inf: inf, batches: l, set: set, logits: make([]float32, c.Batch*classes)}, nil
}

// Run evaluates every sample once. It stops early, with ctx's error, when ctx is cancelled, and with one that wraps ErrDiverged when the
// loss is not finite.
func (e *Evaluator) Run(ctx context.Context) (Metrics, error) {
	classes := len(e.set.Classes())
	m := Metrics{Confusion: make([][]int, classes), Predictions: make([]Prediction, 0, e.set.Len())}
	for i := range m.Confusion {
		m.Confusion[i] = make([]int, classes)
	}
	it := e.batches.Epoch(ctx, 0, 0)
	defer it.Close()
	for {
		b, err := it.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return m, err
		}
		st, err := e.inf.Run(b.X, b.T, e.logits)
		if err != nil {
			return m, err
		}
		if !finite(st.Loss) {
			return m, fmt.Errorf("%w: the validation loss is %v on the batch of %s", ErrDiverged, st.Loss, batchNames(e.set, b))
		}
		m.Loss += float64(st.Loss) * float64(st.Rows)
		m.Top1 += float64(st.Top1)
		m.Top5 += float64(st.Top5)
		for i := range b.N {
			class, prob := Argmax(e.logits[i*classes : (i+1)*classes])
			label := int(b.Labels[i])
			m.Confusion[label][class]++
			m.Predictions = append(m.Predictions, Prediction{Index: int(b.Index[i]), Label: label, Class: class, Prob: prob})
		}
		m.Samples += b.N
		it.Release(b)
	}
	n := float64(m.Samples)
	m.Loss, m.Top1, m.Top5 = m.Loss/n, m.Top1/n, m.Top5/n
	return m, nil
}

// Argmax returns the class with the largest logit, and its probability. Of equal ones it is the first; NaN is never the largest.
func Argmax(logits []float32) (class int, prob float64) {
	for i, v := range logits {
		if v > logits[class] || math.IsNaN(float64(logits[class])) {
			class = i
		}
	}
	return class, Probabilities(logits)[class]
}

// Probabilities returns the softmax of the logits.
func Probabilities(logits []float32) []float64 {
	top := math.Inf(-1)
	for _, v := range logits {
		top = math.Max(top, float64(v))
	}
	p := make([]float64, len(logits))
	var sum float64
	for i, v := range logits {
		p[i] = math.Exp(float64(v) - top)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}
