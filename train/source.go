package train

import (
	"context"
	"errors"
	"fmt"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/data/synth"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/zoo"
)

// statsSamples bounds how many images are measured for mean, standard deviation and size: enough that the mean of a channel is known to a
// fraction of a grey level.
const statsSamples = 2000

// OpenData opens the data set that c names: a path, or an embedded set; if it names none, the embedded set that suits the model's channels. It
// writes to c what it decides: the set, and what decodes its JPEG files.
func OpenData(c *Config, info zoo.Info) (*data.Source, error) {
	if c.Data == "" {
		c.Data = "digits"
		if info.Input.C == 3 {
			c.Data = "shapes"
		}
	}
	if c.JPEG == data.JPEGAuto {
		c.JPEG = c.JPEG.Decide()
	}
	if src, ok := synth.Open(c.Data, c.Seed); ok {
		return src, nil
	}
	src, err := data.Open(c.Data, data.Options{ValSplit: c.ValSplit, Seed: c.Seed, MaxPixels: c.MaxPixels, JPEG: c.JPEG, SkipCorrupt: c.SkipCorrupt})
	if errors.Is(err, data.ErrFormat) {
		return nil, fmt.Errorf("%w; or give the name of an embedded set: %v", err, synth.Names())
	}
	return src, err
}

// chooseInput decides the size of the network's input where the user has not. Small images of one size (MNIST, CIFAR) are used as they are,
// or, if the model needs larger ones, at the smallest multiple of 32 that it takes; anything else is brought to the model's usual size.
func chooseInput(c Config, info zoo.Info, st *data.Statistics) (graph.Shape, error) {
	side := c.ImageSize
	if side == 0 {
		side = info.Defaults.ImageSize
		if n := st.MaxW; small(st) {
			least, err := zoo.SmallestSize(info.Name, st.Channels)
			if err != nil {
				return graph.Shape{}, err
			}
			side = n
			if n < least {
				side = (least + 31) / 32 * 32
			}
		}
	}
	return graph.Shape{H: side, W: side, C: st.Channels}, nil
}

// small reports that all images are squares of one small size, as in MNIST and CIFAR: they need neither resizing nor cropping to be used.
func small(st *data.Statistics) bool {
	n := st.MaxW
	return n <= 64 && st.MinW == n && st.MinH == n && st.MaxH == n
}

// augmentation merges the user's settings with what suits the data, and writes the result back to c, so that args.yaml says what was done.
func augmentation(c *Config, in graph.Shape, st *data.Statistics) augment.Config {
	a := augment.Default(in.H, in.W, in.C)
	if !small(st) {
		// Photographs, whatever the size they are brought to: cut, not squeezed.
		a.Policy, a.CropPadding, a.Scale, a.Ratio = augment.PolicyCrop, 0, [2]float64{0.08, 1}, [2]float64{3.0 / 4, 4.0 / 3}
	}
	a.Mean, a.Std = st.Mean, make([]float64, len(st.Std))
	for i, s := range st.Std {
		a.Std[i] = max(s, 1e-3) // a set of one grey level
	}
	if p := c.Preprocess; p != nil {
		a.Mean, a.Std, a.Scale255, a.BGR, a.Interpolation = p.Mean, p.Std, p.Scale == 255, p.Order == "bgr", p.Interpolation
		a.Policy = augment.PolicyCrop
		if p.Resize == augment.ResizeExact {
			a.Policy, a.Scale, a.Ratio = augment.PolicyPlain, [2]float64{}, [2]float64{}
		} else if c.Weights != "" {
			a.Scale = transferScale
		}
	}
	pick := func(set *float64, usual *float64) {
		if *set >= 0 {
			*usual = *set
		}
		*set = *usual
	}
	pick(&c.HFlip, &a.HFlip)
	a.VFlip, a.Rotation, a.AutoAugment, a.ColorJitter = c.VFlip, c.Rotation, c.AutoAugment, c.ColorJitter
	a.ReProb, a.ReMode, a.ReCount = c.ReProb, augment.EraseMode(c.ReMode), c.ReCount
	if c.CropPadding >= 0 {
		a.CropPadding = c.CropPadding
	}
	if c.Scale != [2]float64{} {
		a.Scale = c.Scale
		if c.CropPadding < 0 { // a random resized crop takes the usual one's place, unless both were asked for
			a.CropPadding = 0
		}
	}
	if c.Ratio != [2]float64{} {
		a.Ratio = c.Ratio
	}
	if c.CropPct > 0 {
		a.CropPct = c.CropPct
	}
	c.CropPadding, c.Scale, c.Ratio = a.CropPadding, a.Scale, a.Ratio
	return a
}

// transferScale is the smallest and largest share of a photograph that fine-tuning sees: less cut off than the 8 % and more by which ImageNet's
// networks are trained from nothing, because a small data set has few epochs to see its objects whole.
var transferScale = [2]float64{0.35, 1}

// inspectData measures the training part, without counting on samples that may turn out to be corrupt.
func inspectData(ctx context.Context, src *data.Source) (*data.Statistics, error) {
	if src.Train == nil || src.Train.Len() == 0 {
		return nil, fmt.Errorf("%w: there is no training part; wanted images under train/<class>/ or <class>/", data.ErrFormat)
	}
	if len(src.Train.Classes()) < 2 {
		return nil, fmt.Errorf("%w: there is one class, %q; wanted at least two to tell apart", data.ErrFormat, src.Train.Classes()[0])
	}
	return data.Stats(ctx, src.Train, statsSamples)
}
