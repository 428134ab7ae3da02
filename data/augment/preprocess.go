package augment

import "fmt"

// Preprocess describes how an image becomes the input of a network at evaluation: what a checkpoint stores, so that
// eval and predict cannot differ from training. Unknown versions of it fail to validate instead of being guessed.
type Preprocess struct {
	Size          [2]int        `json:"size" yaml:"size,flow"`                                  // height, width of the input
	Channels      int           `json:"channels" yaml:"channels"`                               // 1 or 3
	Resize        ResizeMode    `json:"resize" yaml:"resize"`                                   // before the crop
	ResizeTo      []int         `json:"resize_to,omitempty" yaml:"resize_to,flow,omitempty"`    // height, width; nothing for none
	Crop          string        `json:"crop" yaml:"crop"`                                       // "center"
	Interpolation Interpolation `json:"interpolation" yaml:"interpolation"`                     //
	Mean          []float64     `json:"mean" yaml:"mean,flow"`                                  // in units of scale and in order of channel_order
	Std           []float64     `json:"std" yaml:"std,flow"`                                    // likewise
	Scale         float64       `json:"scale" yaml:"scale"`                                     // what white becomes: 1 or 255
	Order         string        `json:"channel_order,omitempty" yaml:"channel_order,omitempty"` // "rgb" or "bgr"; "" means rgb
}

// ResizeMode says how an image is resized before the centre crop.
type ResizeMode string

// The modes.
const (
	ResizeNone  ResizeMode = "none"  // not at all
	ResizeExact ResizeMode = "exact" // to ResizeTo, whatever the aspect ratio
	ResizeCover ResizeMode = "cover" // to the smallest size with the same aspect ratio that covers ResizeTo
)

// Pipeline returns the evaluation pipeline. Errors wrap ErrConfig.
func (p Preprocess) Pipeline() (*Pipeline, error) {
	var ts []Transform
	switch p.Resize {
	case ResizeNone:
		if len(p.ResizeTo) != 0 {
			return nil, fmt.Errorf("%w: resize is none but resize_to is %d; want no value", ErrConfig, p.ResizeTo)
		}
	case ResizeExact, ResizeCover:
		if len(p.ResizeTo) != 2 {
			return nil, fmt.Errorf("%w: resize_to is %d; want height and width", ErrConfig, p.ResizeTo)
		}
		ts = append(ts, Resize{H: p.ResizeTo[0], W: p.ResizeTo[1], Cover: p.Resize == ResizeCover, Interpolation: p.Interpolation})
	default:
		return nil, fmt.Errorf("%w: resize is %q; want none, exact or cover", ErrConfig, string(p.Resize))
	}
	if p.Crop != "center" {
		return nil, fmt.Errorf("%w: crop is %q; want center", ErrConfig, p.Crop)
	}
	h, w := p.Size[0], p.Size[1]
	if !(p.Resize == ResizeExact && p.ResizeTo[0] == h && p.ResizeTo[1] == w) {
		ts = append(ts, CenterCrop{h, w})
	}
	norm, err := p.normalize()
	if err != nil {
		return nil, err
	}
	if p.Channels == 1 { // before the rest, which then has a third of the work
		ts = append([]Transform{Grayscale{}}, ts...)
	}
	return NewPipeline(h, w, p.Channels, norm, RandomErasing{}, ts...)
}

func (p Preprocess) normalize() (Normalize, error) {
	n := Normalize{Mean: p.Mean, Std: p.Std, Scale: p.Scale, BGR: p.Order == "bgr"}
	if p.Order != "" && p.Order != "rgb" && p.Order != "bgr" {
		return n, fmt.Errorf("%w: channel_order is %q; want rgb or bgr", ErrConfig, p.Order)
	}
	return n, nil
}
