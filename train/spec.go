package train

import (
	"encoding/json"
	"fmt"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/zoo"
)

// Spec is what it takes to use trained weights: the network and what its inputs and outputs mean. Every checkpoint of a run carries it.
type Spec struct {
	Model      string             `json:"model"`
	Input      [3]int             `json:"input"` // height, width, channels
	Classes    []string           `json:"classes"`
	Preprocess augment.Preprocess `json:"preprocess"`
}

// specKey is the metadata entry that holds the spec.
const specKey = "cnnctl.spec"

// Graph builds the network.
func (s Spec) Graph(opt zoo.Options) (*graph.Graph, error) {
	return zoo.Build(s.Model, graph.Shape{H: s.Input[0], W: s.Input[1], C: s.Input[2]}, len(s.Classes), opt)
}

func (s Spec) metadata() (map[string]string, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return map[string]string{"format": "pt", specKey: string(b)}, nil
}

// ReadSpec returns the spec that a checkpoint of a run carries. Errors wrap ErrWeights.
func ReadSpec(f *checkpoint.File) (Spec, error) {
	var s Spec
	text, ok := f.Metadata()[specKey]
	if !ok {
		return s, fmt.Errorf("%s: %w: it does not say which model it belongs to; wanted a checkpoint of a cnnctl run", f.Path(), ErrWeights)
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("%s: %w: its model description is damaged: %v", f.Path(), ErrWeights, err)
	}
	if len(s.Classes) == 0 {
		return s, fmt.Errorf("%s: %w: its model description names no classes", f.Path(), ErrWeights)
	}
	return s, nil
}

// SaveWeights writes weights with PyTorch's names and layout.
func SaveWeights(path string, s Spec, w *graph.Weights) error {
	return saveWeights(path, s, w.Graph().Params(), w.Get)
}

func saveWeights(path string, s Spec, params []*graph.Param, get getter) error {
	meta, err := s.metadata()
	if err != nil {
		return err
	}
	return checkpoint.Write(path, exportTensors("", params, get), meta)
}
