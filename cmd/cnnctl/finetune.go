package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cnnctl/cnnctl/pretrained"
	"github.com/cnnctl/cnnctl/report/terminal"
	"github.com/cnnctl/cnnctl/train"
	"github.com/cnnctl/cnnctl/train/transfer"
	"github.com/cnnctl/cnnctl/zoo"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// tuneFlags defines the flags of fine-tuning beside those of training.
func tuneFlags(f *pflag.FlagSet, c *train.Config) {
	f.StringVar(&c.Strategy, "strategy", c.Strategy, "which layers are trained: "+transfer.Usage)
	f.StringVar(&c.Weights, "weights", c.Weights, "pretrained checkpoint: safetensors or PyTorch, or the directory of a run")
	f.Float64Var(&c.LRMult, "lr-mult", c.LRMult, "learning rate of the layers below the head, relative to the head's; 0: the strategy's")
	f.Float64Var(&c.LayerDecay, "layer-decay", c.LayerDecay, "factor of the rate from each layer below the head to the next; 0: none")
	f.IntVar(&c.FreezeEpochs, "freeze-epochs", c.FreezeEpochs, "epochs in which the head alone is trained; gradual: epochs of each stage")
	f.StringVar(&c.HeadInit, "head-init", c.HeadInit, "initial values of the head: "+strings.Join(train.HeadInits, ", ")+" (default: keep a head that fits the classes, else the model's)")
}

func finetuneCommand() *cobra.Command {
	var (
		config, resume, name string
		in                   pretrained.Input
		out                  output
		shown                = shownDefaults().ForTuning()
	)
	cmd := &cobra.Command{
		Use:   "finetune [MODEL] --weights FILE --data DIR | finetune --resume DIR",
		Short: "Fine-tune a pretrained network on other data",
		Long: `Turn a pretrained network into a classifier of other images.

  cnnctl finetune --pretrained resnet18 --data photos/                        published weights, from a cache or the network
  cnnctl finetune squeezenet1_1 --weights squeezenet.safetensors --preprocess caffe --data photos/
  cnnctl finetune --weights runs/train/lenet5 --data other/ --strategy head   the best weights of a run
  cnnctl finetune --resume runs/finetune/resnet18                             continue a run that was stopped

The head, which gives the scores of the classes, is replaced if the classes are others. The strategies:

  head        train the new head alone
  features    the same on features that are computed once and kept in the user's cache: no augmentation, seconds in place of minutes
  last:N      train the last N layers, of which the head is one
  from:LAYER  train that layer and all behind it; summary MODEL lists the layers
  gradual     thaw from the head down, one resolution at a time
  full        train all layers, those below the head at a tenth of the rate (--lr-mult, --layer-decay)
  scratch     random weights, for comparison
  auto        choose by the number of images and by how well the pretrained features serve, and say why

Frozen layers cost no backward work; their batch norms use the stored statistics. Of a checkpoint that cnnctl wrote, model and preprocessing are
known. For others, config.json beside the file (as timm writes it), the names of the tensors and these flags tell:
--preprocess, --mean, --std, --channel-order, --scale-to, --resize, --crop-pct, --image-size, --interpolation.`,
		Args: cobra.MaximumNArgs(1),
	}
	flags := cmd.Flags()
	trainFlags(flags, &shown)
	tuneFlags(flags, &shown)
	inputFlags(flags, &in)
	options := graphFlag(flags)
	flags.StringVar(&name, "pretrained", "", "name of a model whose published weights to begin with: "+strings.Join(pretrained.Models(), ", "))
	flags.StringVar(&config, "config", "", "YAML file with settings, keys as in args.yaml; flags override it")
	flags.StringVar(&resume, "resume", "", "continue the run in this directory")
	flags.BoolVarP(&out.quiet, "quiet", "q", false, "print errors only")
	flags.BoolVar(&out.json, "json", false, "print events as lines of JSON on standard output")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		to := listen(out)
		if resume != "" {
			if len(args) > 0 || config != "" || name != "" || !in.Zero() {
				return usageError{errors.New("--resume takes model, weights, preprocessing and settings from the run; wanted none of them beside it")}
			}
			c, err := train.LoadConfig(resume)
			if err != nil {
				return err
			}
			if c.Strategy == "" {
				return usageError{fmt.Errorf("%s was trained from random weights; continue it with: cnnctl train --resume %s", resume, resume)}
			}
			return runTraining(cmd.Context(), flags, c, resume, to, options()...)
		}
		c, err := tuneSettings(cmd, args, config, name, in, to.printer)
		if err != nil {
			return err
		}
		return runTraining(cmd.Context(), flags, c, "", to, options()...)
	}
	return cmd
}

// tuneSettings merges defaults, a configuration file and flags, and asks the checkpoint for model and preprocessing.
func tuneSettings(cmd *cobra.Command, args []string, config, published string, in pretrained.Input, printer *terminal.Printer) (train.Config, error) {
	var given train.Config // what flags and file say, before the model is known
	read := func(c *train.Config) error {
		if config != "" {
			if err := readConfig(config, c); err != nil {
				return err
			}
		}
		if err := apply(cmd.Flags(), c); err != nil {
			return usageError{err}
		}
		return nil
	}
	if err := read(&given); err != nil {
		return given, err
	}
	model := given.Model
	if len(args) > 0 {
		model = args[0]
	}
	weights, err := pretrainedFile(cmd.Context(), published, given.Weights, printer)
	if err != nil {
		return given, err
	}
	if model == "" && published != "" {
		model = published
	}
	in.Size, in.CropPct = given.ImageSize, given.CropPct
	preprocess := given.Preprocess
	if weights != "" && preprocess == nil {
		from, err := train.OpenCheckpoint(weights, train.Foreign{Model: model, Input: in})
		if err != nil {
			return given, err
		}
		model, preprocess = from.Spec.Model, &from.Spec.Preprocess
		if printer != nil {
			for _, note := range from.Notes {
				printer.Observe(train.Warning{Message: note})
			}
		}
		if err := from.Close(); err != nil {
			return given, err
		}
	}
	if model == "" {
		return given, usageError{errors.New("no model was given; wanted, for example, cnnctl finetune resnet18 --weights FILE, or --pretrained resnet18")}
	}
	info, err := zoo.Lookup(model)
	if err != nil {
		return given, usageError{err}
	}
	own := train.Defaults(info)
	c := own.ForTuning()
	if given.Strategy == string(transfer.Scratch) { // the recipe of the model, for as many epochs
		c = c.WithRecipe(own)
	}
	if err := read(&c); err != nil {
		return c, err
	}
	c.Model, c.Weights, c.Preprocess = info.Name, weights, preprocess
	if c.Weights == "" && preprocess == nil && !in.Zero() && in.Preset != "" {
		return c, usageError{errors.New("--preprocess without --weights or --pretrained: it says how their images are prepared")}
	}
	return c, nil
}
