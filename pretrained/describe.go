package pretrained

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/data/augment"
)

// A Description is what is known of a checkpoint beside its tensors.
type Description struct {
	Source       string              `json:"source"`               // where it stands; "" if nothing is known
	Architecture string              `json:"architecture"`         // as the source names it
	Model        string              `json:"model,omitempty"`      // the zoo's name for that, or "" where it has none
	Classes      int                 `json:"classes,omitempty"`    // 0 where the source does not say
	Labels       []string            `json:"labels,omitempty"`     // names of the classes, or nil
	Preprocess   *augment.Preprocess `json:"preprocess,omitempty"` // or nil
}

// configName is the file that Hugging Face's repositories have beside the weights.
const configName = "config.json"

// Describe says what the config.json beside a checkpoint tells of it, in the form that timm writes; without one it tells published weights by the
// file's name. The Description is empty if neither is there. A config.json of timm that contradicts itself, or asks for what the pipeline
// cannot do, gives an error that wraps checkpoint.ErrFormat.
func Describe(path string) (Description, error) {
	config := filepath.Join(filepath.Dir(path), configName)
	d, err := readConfig(config)
	if err != nil {
		return d, fmt.Errorf("%s: %w; correct it, or move it away from %s", config, err, filepath.Base(path))
	}
	if d.Source != "" {
		return d, nil
	}
	for _, w := range table {
		if w.File() == filepath.Base(path) {
			return Description{Source: w.File(), Architecture: w.Model, Model: w.Model, Classes: w.Classes, Preprocess: &w.Preprocess}, nil
		}
	}
	return d, nil
}

// timmConfig is what timm's models.push_to_hf_hub writes (timm/models/_hub.py), as far as it concerns this program. Its older form has the
// entries of pretrained_cfg at the top.
type timmConfig struct {
	Architecture string          `json:"architecture"`
	NumClasses   int             `json:"num_classes"`
	LabelNames   json.RawMessage `json:"label_names"` // a list, or a dictionary for which no order is defined
	timmInput
	Pretrained *timmInput `json:"pretrained_cfg"`
}

type timmInput struct {
	InputSize     []int     `json:"input_size"` // channels, height, width
	Mean          []float64 `json:"mean"`       // of values in [0, 1]
	Std           []float64 `json:"std"`
	CropPct       float64   `json:"crop_pct"` // the input's side over the resized image's
	CropMode      string    `json:"crop_mode"`
	Interpolation string    `json:"interpolation"`
}

// readConfig returns an empty description if there is no such file, or one of another library.
func readConfig(path string) (d Description, err error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return d, err
	}
	defer file.Close()
	const most = 16 << 20
	text, err := io.ReadAll(io.LimitReader(file, most))
	if err != nil {
		return d, err
	}
	var c timmConfig
	if err := json.Unmarshal(text, &c); err != nil {
		return d, fmt.Errorf("want a JSON object as timm writes it, got: %v: %w", err, checkpoint.ErrFormat)
	}
	if c.Architecture == "" {
		return d, nil
	}
	d = Description{Source: path, Architecture: c.Architecture, Model: zooName(c.Architecture), Classes: c.NumClasses}
	if json.Unmarshal(c.LabelNames, &d.Labels) != nil || len(d.Labels) != c.NumClasses {
		d.Labels = nil
	}
	in := c.timmInput
	if c.Pretrained != nil {
		in = *c.Pretrained
	}
	if len(in.InputSize) == 0 {
		return d, nil
	}
	p, err := in.preprocess()
	if err != nil {
		return d, err
	}
	d.Preprocess = &p
	return d, nil
}

// zooName translates timm's names of architectures; a tag behind a dot says with what the weights were trained.
func zooName(architecture string) string {
	name, _, _ := strings.Cut(architecture, ".")
	if name == "mobilenetv2_100" {
		name = "mobilenet_v2"
	}
	if _, err := Lookup(name); err != nil {
		return ""
	}
	return name
}

// preprocess is timm's transforms_imagenet_eval (timm/data/transforms_factory.py): the short side, or with "squash" both, to the input's side
// divided by crop_pct and rounded down, then the centre.
func (in timmInput) preprocess() (augment.Preprocess, error) {
	p := augment.Preprocess{Crop: "center", Mean: in.Mean, Std: in.Std, Scale: 1, Order: "rgb"}
	if len(in.InputSize) != 3 {
		return p, fmt.Errorf("input_size is %d, want channels, height and width: %w", in.InputSize, checkpoint.ErrFormat)
	}
	p.Channels, p.Size = in.InputSize[0], [2]int{in.InputSize[1], in.InputSize[2]}
	crop := in.CropPct
	if crop == 0 {
		crop = 0.875 // timm's DEFAULT_CROP_PCT
	}
	if !(crop > 0 && crop <= 1) {
		return p, fmt.Errorf("crop_pct is %v, want a share of at most 1: %w", in.CropPct, checkpoint.ErrFormat)
	}
	for _, side := range p.Size {
		p.ResizeTo = append(p.ResizeTo, int(math.Floor(float64(side)/crop)))
	}
	switch in.CropMode {
	case "", "center":
		p.Resize = augment.ResizeCover
	case "squash":
		p.Resize = augment.ResizeExact
	default:
		return p, fmt.Errorf("crop_mode is %q, want center or squash: %w", in.CropMode, checkpoint.ErrFormat)
	}
	switch in.Interpolation {
	case "", "bilinear", "random":
		p.Interpolation = augment.Bilinear
	case "bicubic":
		p.Interpolation = augment.Bicubic
	case "nearest":
		p.Interpolation = augment.Nearest
	default:
		return p, fmt.Errorf("interpolation is %q, want bilinear, bicubic or nearest: %w", in.Interpolation, checkpoint.ErrFormat)
	}
	if _, err := p.Pipeline(); err != nil {
		return p, fmt.Errorf("%w: %w", err, checkpoint.ErrFormat)
	}
	return p, nil
}
