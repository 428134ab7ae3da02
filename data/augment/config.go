package augment

import (
	"fmt"
	"math"
	"slices"
)

// Policy says how images of any size become H x W.
type Policy string

// The policies. The empty policy means PolicyPlain up to 64x64 and PolicyCrop above: small data sets come in the size
// that networks for them take, photographs do not.
const (
	PolicyPlain Policy = "plain" // resize to exactly H x W, which changes nothing for images of that size
	PolicyCrop  Policy = "crop"  // evaluation: resize and centre crop; training: RandomResizedCrop
)

// smallSide is the size up to which the empty policy means PolicyPlain.
const smallSide = 64

// Config says how images are prepared. Default fills in what suits a size. For training, the zero value of a field
// switches its step off, except that a crop under PolicyCrop always has a scale and a ratio.
type Config struct {
	H, W, Channels int // the network's input

	Mean, Std     []float64 // per channel, in units of Scale255 and in the order of BGR; see Normalize
	Scale255, BGR bool      // white is 255 rather than 1; blue comes first
	Interpolation Interpolation
	Policy        Policy
	CropPct       float64 // PolicyCrop, evaluation: the input's share of the resized image's side; 0 means 0.875

	// The rest is for training only.
	Scale       [2]float64 // RandomResizedCrop's share of the area; set under PolicyPlain, the crop takes the resize's place
	Ratio       [2]float64 // RandomResizedCrop's aspect ratio, width by height; zero means 3/4 to 4/3
	CropPadding int        // black pixels added to each side before a random crop
	HFlip       float64    // probability
	VFlip       float64    // probability
	Rotation    float64    // degrees to either side
	AutoAugment string     // see ParseAutoAugment
	ColorJitter [4]float64 // brightness, contrast, saturation, hue
	ReProb      float64    // probability of random erasing
	ReMode      EraseMode
	ReCount     int // rectangles at most; 0 means 1
}

// The usual statistics: ImageNet's for colour and MNIST's for grey, as most published checkpoints have them.
var (
	imageNetMean, imageNetStd = []float64{0.485, 0.456, 0.406}, []float64{0.229, 0.224, 0.225}
	mnistMean, mnistStd       = []float64{0.1307}, []float64{0.3081}
)

// Default returns the usual preparation for inputs of h x w pixels. Colour is flipped horizontally, and small colour
// also padded and cropped, by an eighth of its size, as is usual for CIFAR; large images get a RandomResizedCrop. Grey
// stays as it is: a mirrored digit is a different or no digit.
func Default(h, w, channels int) Config {
	c := Config{H: h, W: w, Channels: channels, Mean: slices.Clone(imageNetMean), Std: slices.Clone(imageNetStd)}
	if channels == 1 {
		c.Mean, c.Std = slices.Clone(mnistMean), slices.Clone(mnistStd)
	} else {
		c.HFlip = 0.5
	}
	if c.policy() == PolicyCrop {
		c.Scale, c.Ratio = [2]float64{0.08, 1}, [2]float64{3.0 / 4, 4.0 / 3}
	} else if channels == 3 {
		c.CropPadding = min(h, w) / 8
	}
	return c
}

func (c Config) policy() Policy {
	if c.Policy == "" {
		if c.H <= smallSide && c.W <= smallSide {
			return PolicyPlain
		}
		return PolicyCrop
	}
	return c.Policy
}

// Preprocess returns the description of the evaluation pipeline, for a checkpoint. Errors wrap ErrConfig.
func (c Config) Preprocess() (Preprocess, error) {
	p := Preprocess{Size: [2]int{c.H, c.W}, Channels: c.Channels, Resize: ResizeExact, ResizeTo: []int{c.H, c.W}, Crop: "center",
		Interpolation: c.Interpolation.orDefault(), Mean: c.Mean, Std: c.Std, Scale: 1, Order: "rgb"}
	if c.Scale255 {
		p.Scale = 255
	}
	if c.BGR {
		p.Order = "bgr"
	}
	switch c.policy() {
	case PolicyPlain:
	case PolicyCrop:
		pct := c.CropPct
		if pct == 0 {
			pct = 0.875
		}
		if !(pct > 0 && pct <= 1) {
			return p, fmt.Errorf("%w: crop-pct is %g; want more than 0, at most 1", ErrConfig, pct)
		}
		p.Resize = ResizeCover
		for i, n := range p.Size {
			p.ResizeTo[i] = int(math.Floor(min(float64(n)/pct, 2*maxSide))) // timm rounds down; too large fails below
		}
	default:
		return p, fmt.Errorf("%w: resize policy is %q; want plain or crop", ErrConfig, string(c.Policy))
	}
	_, err := p.Pipeline()
	return p, err
}

// Eval returns the pipeline without random choices. Errors wrap ErrConfig.
func Eval(c Config) (*Pipeline, error) {
	p, err := c.Preprocess()
	if err != nil {
		return nil, err
	}
	return p.Pipeline()
}

// Train returns the pipeline for training. Errors wrap ErrConfig.
func Train(c Config) (*Pipeline, error) {
	pre, err := c.Preprocess()
	if err != nil {
		return nil, err
	}
	norm, err := pre.normalize()
	if err != nil {
		return nil, err
	}
	var ts []Transform
	add := func(on bool, t Transform) {
		if on {
			ts = append(ts, t)
		}
	}
	add(c.Channels == 1, Grayscale{})
	ts = append(ts, c.geometry()...)
	// A channel repeated after the resize costs less than before it and gives the same pixels.
	add(c.Channels == 3, ToRGB{})
	add(c.HFlip != 0, RandomHorizontalFlip{c.HFlip})
	add(c.VFlip != 0, RandomVerticalFlip{c.VFlip})
	auto, err := c.autoAugment()
	if err != nil {
		return nil, err
	}
	add(auto != nil, auto)
	j := c.ColorJitter
	add(j != [4]float64{}, ColorJitter{j[0], j[1], j[2], j[3]})
	var erase RandomErasing
	if c.ReProb != 0 {
		erase = NewRandomErasing(c.ReProb, c.ReMode)
		erase.Count = max(c.ReCount, 1)
	}
	return NewPipeline(c.H, c.W, c.Channels, norm, erase, ts...)
}

// autoAugment returns the automatic augmentation, or nil. What RandAugment moves into view has the colour of the mean, as in timm; what
// TrivialAugment does is black, as in torchvision.
func (c Config) autoAugment() (Transform, error) {
	t, err := ParseAutoAugment(c.AutoAugment)
	switch t := t.(type) {
	case RandAugment:
		t.Interpolation = c.Interpolation
		for i := range t.Fill {
			v := c.Mean[min(i, len(c.Mean)-1)]
			if c.BGR {
				v = c.Mean[len(c.Mean)-1-min(i, len(c.Mean)-1)]
			}
			if !c.Scale255 {
				v *= 255
			}
			t.Fill[i] = uint8(min(max(math.RoundToEven(v), 0), 255))
		}
		return t, err
	case TrivialAugmentWide:
		t.Interpolation = c.Interpolation
		return t, err
	}
	return nil, err
}

// geometry returns the steps that bring an image to H x W. A rotation comes after the resize, where it has fewer
// pixels to move, but before the padding, so that its black corners and the border's look alike.
func (c Config) geometry() []Transform {
	var ts []Transform
	plain := c.policy() == PolicyPlain
	if plain && c.Scale == [2]float64{} {
		ts = append(ts, Resize{H: c.H, W: c.W, Interpolation: c.Interpolation})
	} else {
		t := RandomResizedCrop{H: c.H, W: c.W, Scale: c.Scale, Ratio: c.Ratio, Interpolation: c.Interpolation}
		if t.Scale == [2]float64{} {
			t.Scale = [2]float64{0.08, 1}
		}
		if t.Ratio == [2]float64{} {
			t.Ratio = [2]float64{3.0 / 4, 4.0 / 3}
		}
		ts = append(ts, t)
	}
	if c.Rotation != 0 {
		ip := Bilinear
		if c.Interpolation == Nearest {
			ip = Nearest
		}
		ts = append(ts, RandomRotation{Degrees: c.Rotation, Interpolation: ip})
	}
	if c.CropPadding != 0 {
		ts = append(ts, RandomCrop{H: c.H, W: c.W, Padding: c.CropPadding})
	}
	return ts
}
