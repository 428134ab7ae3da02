package train

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/zoo"
)

// Model is a trained network on a device, ready to be used.
type Model struct {
	Spec
	Path    string // of the checkpoint
	Named   bool   // the classes have names; otherwise they are numbered
	Notes   []string
	Weights *graph.Weights
	Pipe    *augment.Pipeline
}

// WeightsFile returns the checkpoint that path means: path itself if it is a file, or the best weights of the run directory path.
func WeightsFile(path string) (string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("%w: %w; wanted a run directory, such as runs/train/lenet5, or a .safetensors file", ErrRun, err)
	}
	if !st.IsDir() {
		return path, nil
	}
	best := filepath.Join(path, "weights", "best.safetensors")
	if _, err := os.Stat(best); errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(path, "args.yaml")); err == nil {
			return "", fmt.Errorf("%w: %s has no weights yet: no epoch was finished; continue it with: cnnctl train --resume %s", ErrRun, path, path)
		}
		return "", fmt.Errorf("%w: %s is not a run; wanted a folder that cnnctl train has made, such as runs/train/lenet5", ErrRun, path)
	}
	return best, nil
}

// LoadModel reads the weights at path, a file or the directory of a run. Of a file that another program wrote, `as` says what the file does not.
// Errors are those of OpenCheckpoint.
func LoadModel(path string, as Foreign, dev device.Device) (*Model, error) {
	c, err := OpenCheckpoint(path, as)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	m := &Model{Spec: c.Spec, Path: c.Path(), Named: c.Named, Notes: c.Notes}
	g, err := m.Graph(zoo.Options{})
	if errors.Is(err, graph.ErrShape) && as.Input.Size > 0 {
		return nil, err // what the user asked for, not what the file says
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", m.Path, ErrWeights, err)
	}
	if m.Pipe, err = m.Preprocess.Pipeline(); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", m.Path, ErrWeights, err)
	}
	if m.Weights, err = graph.NewWeights(g, dev); err != nil {
		return nil, err
	}
	return m, c.load(m.Weights)
}

// OpenData opens the data to evaluate m on, with the settings c, whose model becomes m's; its classes must be m's. Where those have no names, the data's take
// their places: they are sorted by name, as everywhere. If labels is not empty, it is the table with the class of each image (data.OpenLabelled).
// Errors wrap ErrWeights for other classes, or those of OpenData.
func (m *Model) OpenData(c *Config, labels string) (*data.Source, error) {
	c.Model = m.Spec.Model
	info, err := zoo.Lookup(c.Model)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", m.Path, ErrWeights, err)
	}
	if labels != "" {
		return data.OpenLabelled(c.Data, labels, m.Classes, data.Options{MaxPixels: c.MaxPixels, JPEG: c.JPEG, SkipCorrupt: c.SkipCorrupt})
	}
	src, err := OpenData(c, info)
	if err != nil {
		return nil, err
	}
	classes := src.Val.Classes()
	if len(classes) == len(m.Classes) && (!m.Named || slices.Equal(classes, m.Classes)) {
		return src, nil
	}
	if !m.Named {
		err = fmt.Errorf("%w: %s has %d classes, %s tells %d apart; wanted its own data, or --labels with the index of each image's class", ErrWeights, c.Data, len(classes), m.Path, len(m.Classes))
	} else {
		err = fmt.Errorf("%w: %s has the classes %v, the model was trained on %v", ErrWeights, c.Data, classes, m.Classes)
	}
	return nil, errors.Join(err, src.Close())
}

// Ranked is a class and its probability.
type Ranked struct {
	Class string  `json:"class"`
	Prob  float64 `json:"probability"`
}

// Predictor classifies single images.
type Predictor struct {
	m      *Model
	inf    *graph.Inference
	work   augment.Work
	x, t   []float32
	logits []float32
}

// NewPredictor prepares m for single images.
func NewPredictor(m *Model, p device.Precision) (*Predictor, error) {
	inf, err := graph.CompileInference(m.Weights.Graph(), m.Weights, graph.InferConfig{Batch: 1, Precision: p})
	if err != nil {
		return nil, err
	}
	n := len(m.Classes)
	return &Predictor{m: m, inf: inf, x: make([]float32, m.Pipe.Len()), t: make([]float32, n), logits: make([]float32, n)}, nil
}

// Logits returns the scores of the classes for an encoded image, which the next call overwrites. Errors wrap data.ErrCorrupt.
func (p *Predictor) Logits(encoded []byte, maxPixels int64) ([]float32, error) {
	if err := (data.Decoder{MaxPixels: maxPixels, JPEG: data.JPEGAuto}).Decode(encoded, p.work.Image(), nil); err != nil {
		return nil, err
	}
	if err := p.m.Pipe.Apply(nil, &p.work, p.x); err != nil {
		return nil, err
	}
	if _, err := p.inf.Run(p.x, p.t, p.logits); err != nil {
		return nil, err
	}
	return p.logits, nil
}

// Predict returns the k most probable classes of an encoded image, the most probable first. Errors wrap data.ErrCorrupt.
func (p *Predictor) Predict(encoded []byte, maxPixels int64, k int) ([]Ranked, error) {
	logits, err := p.Logits(encoded, maxPixels)
	if err != nil {
		return nil, err
	}
	probs := Probabilities(logits)
	ranked := make([]Ranked, 0, min(k, len(probs)))
	for range cap(ranked) {
		top := 0
		for i, v := range probs {
			if v > probs[top] {
				top = i
			}
		}
		ranked = append(ranked, Ranked{p.m.Classes[top], probs[top]})
		probs[top] = -1
	}
	return ranked, nil
}
