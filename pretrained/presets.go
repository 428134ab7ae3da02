package pretrained

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/cnnctl/cnnctl/data/augment"
)

// presets are the preprocessings by which most published weights were trained.
var presets = map[string]func() augment.Preprocess{
	"imagenet": ImageNet,
	"cifar":    cifar,
	// Caffe's networks: short side 256, the central 227x227, blue first, 0 to 255 minus the mean of ImageNet's colours.
	"caffe": func() augment.Preprocess {
		p := ImageNet()
		p.Size, p.Order, p.Scale, p.Mean, p.Std = [2]int{227, 227}, "bgr", 255, []float64{104, 117, 123}, []float64{1, 1, 1}
		return p
	},
	// TensorFlow's Inception preprocessing: values from -1 to 1.
	"inception": func() augment.Preprocess {
		p := ImageNet()
		p.Mean, p.Std = []float64{0.5, 0.5, 0.5}, []float64{0.5, 0.5, 0.5}
		return p
	},
}

// Presets returns the names that Input.Preset takes.
func Presets() []string { return slices.Sorted(maps.Keys(presets)) }

// Input is what a user says of the images that weights expect. A zero field leaves a preprocessing as it is.
type Input struct {
	Preset        string    // one of Presets
	Size          int       // side of the network's input, in pixels
	Resize        int       // what the short side becomes before the crop; without it, as much larger than Size as it was
	CropPct       float64   // the same as a share: Size over the short side
	Mean, Std     []float64 // in units of Scale and in the order of the channels
	Order         string    // "rgb" or "bgr"
	Scale         float64   // what white is: 1 or 255
	Interpolation string
}

// Zero reports that nothing was said.
func (in Input) Zero() bool {
	return in.Preset == "" && in.Size == 0 && in.Resize == 0 && in.CropPct == 0 && in.Mean == nil && in.Std == nil && in.Order == "" && in.Scale == 0 && in.Interpolation == ""
}

// Apply returns base, or the preset, with what the user said of it. Errors wrap augment.ErrConfig.
func (in Input) Apply(base augment.Preprocess) (augment.Preprocess, error) {
	p := base
	if in.Preset != "" {
		preset, ok := presets[in.Preset]
		if !ok {
			return p, fmt.Errorf("%w: preset %q, wanted one of %s", augment.ErrConfig, in.Preset, strings.Join(Presets(), ", "))
		}
		channels := base.Channels
		if p = preset(); channels == 1 { // grey images: the channels' mean
			p.Channels, p.Mean, p.Std = 1, []float64{mean(p.Mean)}, []float64{mean(p.Std)}
		}
	}
	if n := in.Size; n > 0 {
		to := slices.Clone(p.ResizeTo)
		for i := range to {
			to[i] = int(math.Round(float64(n) * float64(to[i]) / float64(p.Size[i])))
		}
		p.Size, p.ResizeTo = [2]int{n, n}, to
	}
	if in.Resize > 0 && in.CropPct > 0 {
		return p, fmt.Errorf("%w: the short side is given twice, as %d pixels and as a share of %g", augment.ErrConfig, in.Resize, in.CropPct)
	}
	short := in.Resize
	if in.CropPct != 0 {
		if !(in.CropPct > 0 && in.CropPct <= 1) {
			return p, fmt.Errorf("%w: crop-pct is %g; want more than 0, at most 1", augment.ErrConfig, in.CropPct)
		}
		short = int(math.Floor(float64(p.Size[0]) / in.CropPct)) // timm rounds down
	}
	if short > 0 {
		p.Resize, p.ResizeTo = augment.ResizeCover, []int{short, short}
	}
	if in.Mean != nil {
		p.Mean = in.Mean
	}
	if in.Std != nil {
		p.Std = in.Std
	}
	if in.Order != "" {
		p.Order = in.Order
	}
	if in.Scale != 0 {
		p.Scale = in.Scale
	}
	if in.Interpolation != "" {
		p.Interpolation = augment.Interpolation(in.Interpolation)
	}
	_, err := p.Pipeline()
	return p, err
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}
