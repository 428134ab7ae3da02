package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/train"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// trainFlags defines a flag for each setting of a run.
func trainFlags(f *pflag.FlagSet, c *train.Config) {
	f.StringVar(&c.Data, "data", c.Data, "data set: IDX or CIFAR files, image folders, an archive of either, or digits, shapes (embedded)")
	f.IntVar(&c.Epochs, "epochs", c.Epochs, "passes over the training part")
	f.VarP((*batchSize)(&c.Batch), "batch-size", "b", "samples per step; auto (in --config: -1): as many as fit the device's memory, at most 1024")
	f.StringVar(&c.Opt, "opt", c.Opt, "optimizer: "+strings.Join(train.Optimizers, ", "))
	f.Float64Var(&c.LR, "lr", c.LR, "learning rate after the warm-up")
	f.Float64Var(&c.Momentum, "momentum", c.Momentum, "momentum of SGD and RMSprop")
	f.Float64Var(&c.WeightDecay, "weight-decay", c.WeightDecay, "weight decay (also --wd)")
	f.BoolVar(&c.NoNormDecay, "no-bias-norm-decay", c.NoNormDecay, "no weight decay on biases and normalisation layers")
	f.StringVar(&c.Sched, "sched", c.Sched, "learning-rate schedule: "+strings.Join(train.Schedules, ", "))
	f.Float64Var(&c.WarmupEpochs, "warmup-epochs", c.WarmupEpochs, "epochs in which the rate climbs")
	f.Float64Var(&c.MinLR, "min-lr", c.MinLR, "cosine: rate at the end")
	f.Float64Var(&c.DecayEpochs, "decay-epochs", c.DecayEpochs, "step: epochs between two decays")
	f.Float64Var(&c.DecayRate, "decay-rate", c.DecayRate, "step: factor of a decay")
	f.Float64Var(&c.LabelSmoothing, "label-smoothing", c.LabelSmoothing, "share of the target that is spread over all classes")
	f.Float64Var(&c.ClipGrad, "clip-grad", c.ClipGrad, "longest gradient; 0: no limit")
	f.BoolVar(&c.EMA, "model-ema", c.EMA, "keep a moving average of the weights, and evaluate that")
	f.Float64Var(&c.EMADecay, "model-ema-decay", c.EMADecay, "weight of the old average")
	f.IntVar(&c.Patience, "patience", c.Patience, "stop after so many epochs without a better accuracy; 0: never")
	f.Float64Var(&c.Dropout, "dropout", c.Dropout, "probability of the model's dropout layers; -1: as published")

	imageFlags(f, c)

	f.Uint64Var(&c.Seed, "seed", c.Seed, "seed of every random choice")
	f.IntVarP(&c.Workers, "workers", "j", c.Workers, "goroutines that load data; 0: load in the training loop")
	f.StringVar(&c.Device, "device", c.Device, "auto, cpu, cuda or cuda:N")
	f.StringVar(&c.Winograd, "winograd", c.Winograd, winogradUsage)
	precisionFlag(f, &c.Precision)
	f.IntVar(&c.SaveEvery, "save-every", c.SaveEvery, "also save every so many steps; 0: after each epoch only")
	f.StringVar(&c.Project, "project", c.Project, "folder of the run directories")
	f.StringVar(&c.Name, "name", c.Name, "name of the run directory (default: the model's)")
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "wd" {
			name = "weight-decay"
		}
		return pflag.NormalizedName(name)
	})
}

// precisionFlag defines --precision.
func precisionFlag(f *pflag.FlagSet, p *device.Precision) {
	f.TextVar(p, "precision", *p, "fp32; tf32 or bf16: tensor cores of a CUDA device, bf16 with activations in half the memory")
}

// imageFlags defines those that decide what the network sees of an image.
func imageFlags(f *pflag.FlagSet, c *train.Config) {
	f.IntVar(&c.ImageSize, "image-size", c.ImageSize, "side of the input in pixels; 0: the data's if small, else the model's")
	f.Float64Var(&c.ValSplit, "val-split", c.ValSplit, "share of each class to validate on, where the data has no such part")
	f.Float64Var(&c.HFlip, "hflip", c.HFlip, "probability of a horizontal flip; -1: 0.5 for colour, 0 for grey")
	f.Float64Var(&c.VFlip, "vflip", c.VFlip, "probability of a vertical flip")
	f.Float64Var(&c.Rotation, "rotation", c.Rotation, "random rotation in degrees, to either side")
	f.Var((*pair)(&c.Scale), "scale", "random resized crop: smallest,largest share of the area")
	f.Var((*pair)(&c.Ratio), "ratio", "random resized crop: smallest,largest width over height")
	f.IntVar(&c.CropPadding, "crop-padding", c.CropPadding, "random crop after padding by so many pixels; -1: 1/8 of small colour images")
	f.Float64Var(&c.CropPct, "crop-pct", c.CropPct, "evaluation: share of the resized image's side that is kept")
	f.BoolVar(&c.NoAug, "no-aug", c.NoAug, "prepare training images as for evaluation")
	f.StringVar(&c.AutoAugment, "aa", c.AutoAugment, "automatic augmentation: RandAugment such as rand-m9-n3-mstd0.5, or trivial")
	f.Var(&c.ColorJitter, "color-jitter", "strength of random brightness, contrast and saturation, or brightness,contrast,saturation,hue")
	f.Float64Var(&c.ReProb, "reprob", c.ReProb, "probability of random erasing")
	f.StringVar(&c.ReMode, "remode", c.ReMode, "what is erased becomes: const (the mean), rand (one colour) or pixel (noise)")
	f.IntVar(&c.ReCount, "recount", c.ReCount, "rectangles that are erased at most")
	f.Float64Var(&c.MixUp, "mixup", c.MixUp, "MixUp's alpha; 0: off")
	f.Float64Var(&c.CutMix, "cutmix", c.CutMix, "CutMix's alpha; 0: off")
	f.Float64Var(&c.MixProb, "mixup-prob", c.MixProb, "probability that a batch is mixed")
	f.Float64Var(&c.MixSwitch, "mixup-switch-prob", c.MixSwitch, "probability of CutMix where both are on")
	f.StringVar(&c.MixMode, "mixup-mode", c.MixMode, "what MixUp and CutMix choose for: each batch, pair or elem(ent)")
	f.IntVar(&c.SkipCorrupt, "skip-corrupt", c.SkipCorrupt, "corrupt images to tolerate")
	f.Int64Var(&c.MaxPixels, "max-pixels", c.MaxPixels, "largest image that is decoded")
	jpegFlag(f, &c.JPEG)
}

// jpegFlag defines --jpeg.
func jpegFlag(f *pflag.FlagSet, j *data.JPEG) {
	f.StringVar((*string)(j), "jpeg", string(*j), "what decodes JPEG files: turbo (libjpeg-turbo), draft (the same, at 1/2, 1/4 or 1/8 where it is then halved at least), go; auto: turbo where it is installed, else go")
}

// apply sets in c the flags that the user gave.
func apply(given *pflag.FlagSet, c *train.Config) error {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	trainFlags(f, c)
	tuneFlags(f, c)
	var errs []error
	given.Visit(func(g *pflag.Flag) {
		if f.Lookup(g.Name) != nil {
			errs = append(errs, f.Set(g.Name, g.Value.String()))
		}
	})
	return errors.Join(errs...)
}

// readConfig merges a YAML file, with the keys of args.yaml, into c.
func readConfig(path string, c *train.Config) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	defer file.Close()
	d := yaml.NewDecoder(file)
	d.KnownFields(true)
	if err := d.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return usageError{fmt.Errorf("--config %s: %v; wanted the keys of a run's args.yaml", path, err)}
	}
	return nil
}

// batchSize is a flag that is a number or auto.
type batchSize int

func (b *batchSize) String() string {
	if *b == train.AutoBatch {
		return "auto"
	}
	return strconv.Itoa(int(*b))
}

func (b *batchSize) Type() string { return "int" }

func (b *batchSize) Set(s string) error {
	if s == "auto" {
		*b = train.AutoBatch
		return nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return fmt.Errorf("wanted a number of at least 1, or auto, got %q", s)
	}
	*b = batchSize(n)
	return nil
}

// pair is a flag of two numbers: "0.5,1".
type pair [2]float64

func (p *pair) String() string {
	if *p == (pair{}) {
		return ""
	}
	return fmt.Sprintf("%g,%g", p[0], p[1])
}

func (p *pair) Type() string { return "min,max" }

func (p *pair) Set(s string) error {
	if s == "" { // what String makes of the zero pair, which asks for the usual values
		*p = pair{}
		return nil
	}
	a, b, ok := strings.Cut(s, ",")
	lo, err1 := strconv.ParseFloat(a, 64)
	hi, err2 := strconv.ParseFloat(b, 64)
	if !ok || err1 != nil || err2 != nil {
		return fmt.Errorf("wanted two numbers such as 0.5,1, got %q", s)
	}
	*p = pair{lo, hi}
	return nil
}
