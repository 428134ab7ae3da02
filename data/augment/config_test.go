package augment

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestPipelineSteps(t *testing.T) {
	tests := []struct {
		name        string
		c           Config
		train, eval string // what the log shows, abridged
	}{
		{"digits", Default(28, 28, 1),
			"Grayscale Resize(28x28, bilinear) Normalize(mean=[0.1307], std=[0.3081])",
			"Grayscale Resize(28x28, bilinear) Normalize(mean=[0.1307], std=[0.3081])"},
		{"cifar", Default(32, 32, 3),
			"Resize(32x32, bilinear) RandomCrop(32, 32, padding=4) ToRGB RandomHorizontalFlip(p=0.5) Normalize(",
			"Resize(32x32, bilinear) Normalize("},
		{"photos", Default(224, 224, 3),
			"RandomResizedCrop(224x224, scale=0.08..1, ratio=0.75..1.33, bilinear) ToRGB RandomHorizontalFlip(p=0.5) Normalize(",
			"Resize(256, bilinear) CenterCrop(224, 224) Normalize("},
		{"wide photos", Default(96, 160, 3), "RandomResizedCrop(96x160", "Resize(cover 109x182, bilinear) CenterCrop(96, 160) Normalize("},
		{"small photos", Config{H: 64, W: 64, Channels: 3, Policy: PolicyCrop, Mean: imageNetMean, Std: imageNetStd, CropPct: 1, Interpolation: Bicubic},
			"RandomResizedCrop(64x64, scale=0.08..1", "Resize(64, bicubic) CenterCrop(64, 64)"},
		{"automatic", func() Config {
			c := Default(32, 32, 3)
			c.AutoAugment, c.ColorJitter = "rand-m9-mstd0.5", [4]float64{0.4, 0.4, 0.4, 0.1}
			return c
		}(),
			"Resize(32x32, bilinear) RandomCrop(32, 32, padding=4) ToRGB RandomHorizontalFlip(p=0.5) RandAugment(rand-m9-n2-p0.5-mstd0.5, bilinear) ColorJitter(0.4, 0.4, 0.4, 0.1) Normalize(",
			"Resize(32x32, bilinear) Normalize("},
		{"small with scale", Config{H: 32, W: 32, Channels: 3, Scale: [2]float64{0.5, 1}, Mean: imageNetMean, Std: imageNetStd},
			"RandomResizedCrop(32x32, scale=0.5..1, ratio=0.75..1.33", "Resize(32x32"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			train, err := Train(tt.c)
			if err != nil {
				t.Fatal(err)
			}
			eval, err := Eval(tt.c)
			if err != nil {
				t.Fatal(err)
			}
			if got := train.String(); !strings.HasPrefix(got, tt.train) {
				t.Errorf("train:\n got %s\nwant %s", got, tt.train)
			}
			if got := eval.String(); !strings.HasPrefix(got, tt.eval) {
				t.Errorf("eval:\n got %s\nwant %s", got, tt.eval)
			}
		})
	}
}

func TestPreprocessRoundTrip(t *testing.T) {
	for _, c := range []Config{
		Default(28, 28, 1), Default(32, 32, 3), Default(224, 224, 3),
		{H: 224, W: 200, Channels: 3, Mean: []float64{103.939, 116.779, 123.68}, Std: []float64{1, 1, 1}, Scale255: true, BGR: true, Interpolation: Bicubic},
	} {
		want, err := c.Preprocess()
		if err != nil {
			t.Fatal(err)
		}
		eval, err := Eval(c)
		if err != nil {
			t.Fatal(err)
		}
		for name, through := range map[string]func(in, out *Preprocess) error{
			"json": func(in, out *Preprocess) error {
				b, err := json.Marshal(in)
				return errors.Join(err, json.Unmarshal(b, out))
			},
			"yaml": func(in, out *Preprocess) error {
				b, err := yaml.Marshal(in)
				return errors.Join(err, yaml.Unmarshal(b, out))
			},
		} {
			var got Preprocess
			if err := through(&want, &got); err != nil {
				t.Fatal(err)
			}
			p, err := got.Pipeline()
			if err != nil {
				t.Fatal(err)
			}
			if p.String() != eval.String() {
				t.Errorf("%s:\n got %v\nwant %v", name, p, eval)
			}
			for ch := range p.norm.lut {
				if p.norm.lut[ch] != eval.norm.lut[ch] {
					t.Errorf("%s: the normalisation of channel %d changed", name, ch)
				}
			}
		}
	}
}

func TestInvalidConfigs(t *testing.T) {
	tests := []struct {
		field  string // the message must name it
		change func(c *Config)
	}{
		{"size", func(c *Config) { c.H = 0 }},
		{"size", func(c *Config) { c.W = 1 << 40 }},
		{"channels", func(c *Config) { c.Channels = 2; c.Mean = c.Mean[:2]; c.Std = c.Std[:2] }},
		{"mean", func(c *Config) { c.Mean = nil }},
		{"mean", func(c *Config) { c.Mean = []float64{0, math.NaN(), 0} }},
		{"std", func(c *Config) { c.Std = []float64{1, 1, 0} }},
		{"interpolation", func(c *Config) { c.Interpolation = "lanczos4" }},
		{"policy", func(c *Config) { c.Policy = "stretch" }},
		{"crop-pct", func(c *Config) { c.Policy = PolicyCrop; c.CropPct = 1.5 }},
		{"crop-pct", func(c *Config) { c.Policy = PolicyCrop; c.CropPct = math.NaN() }},
		{"the resize", func(c *Config) { c.Policy = PolicyCrop; c.CropPct = 1e-300 }},
		{"scale", func(c *Config) { c.Scale = [2]float64{0.5, 0.2} }},
		{"ratio", func(c *Config) { c.Scale, c.Ratio = [2]float64{0.1, 1}, [2]float64{-1, 1} }},
		{"crop padding", func(c *Config) { c.CropPadding = -1 }},
		{"hflip", func(c *Config) { c.HFlip = 1.01 }},
		{"vflip", func(c *Config) { c.VFlip = -0.5 }},
		{"rotation", func(c *Config) { c.Rotation = 181 }},
		{"hue", func(c *Config) { c.ColorJitter[3] = 0.6 }},
		{"brightness", func(c *Config) { c.ColorJitter[0] = math.Inf(1) }},
		{"erasing", func(c *Config) { c.ReProb = 2 }},
		{"aa", func(c *Config) { c.AutoAugment = "rand-x" }},
		{"operations (n)", func(c *Config) { c.AutoAugment = "rand-n200" }},
		{"rectangles", func(c *Config) { c.ReProb, c.ReCount = 0.1, 1000 }},
		{"erase mode", func(c *Config) { c.ReProb = 0.1; c.ReMode = "noise" }},
	}
	for _, tt := range tests {
		c := Default(32, 32, 3)
		tt.change(&c)
		_, err := Train(c)
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.field) {
			t.Errorf("%s: got %v, want an ErrConfig that names it", tt.field, err)
		}
	}
}

// FuzzPreprocess: a checkpoint's metadata comes from outside. Whatever it says, it is refused or works.
func FuzzPreprocess(f *testing.F) {
	for _, c := range []Config{Default(28, 28, 1), Default(224, 224, 3)} {
		p, err := c.Preprocess()
		if err != nil {
			f.Fatal(err)
		}
		b, err := json.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"size":[-1,2],"channels":3,"resize":"none","crop":"center","mean":[0,0,0],"std":[1,1,1],"scale":1}`))
	f.Add([]byte(`{"size":[9,9],"channels":3,"resize":"exact","resize_to":[1],"crop":"center"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var pre Preprocess
		if json.Unmarshal(b, &pre) != nil {
			return
		}
		p, err := pre.Pipeline()
		if err != nil {
			if !errors.Is(err, ErrConfig) {
				t.Fatalf("%v does not wrap ErrConfig", err)
			}
			return
		}
		if p.H*p.W > 1<<16 || (len(pre.ResizeTo) == 2 && pre.ResizeTo[0]*pre.ResizeTo[1] > 1<<16) {
			return // valid, and too slow for a fuzz test
		}
		var w Work
		w.Image().Reset(7, 5, 3)
		if err := p.Apply(nil, &w, make([]float32, p.Len())); err != nil && !errors.Is(err, ErrSize) {
			t.Fatal(err)
		}
	})
}
