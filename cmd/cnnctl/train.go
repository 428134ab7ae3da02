package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/cnnctl/cnnctl/gpu"
	"github.com/cnnctl/cnnctl/report"
	"github.com/cnnctl/cnnctl/report/terminal"
	"github.com/cnnctl/cnnctl/train"
	"github.com/cnnctl/cnnctl/zoo"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// output says how a command talks.
type output struct {
	quiet bool // nothing but errors on standard error
	json  bool // events on standard output
}

func trainCommand() *cobra.Command {
	var (
		config, resume string
		out            output
		shown          = shownDefaults()
	)
	cmd := &cobra.Command{
		Use:   "train MODEL | train --resume DIR",
		Short: "Train a network",
		Long: `Train a network from random weights. Every setting has a default that suits the model and the data, so that none is needed.

  cnnctl train lenet5                                    the embedded digits
  cnnctl train lenet5 --data mnist/                      IDX files, found by their names
  cnnctl train vgg11_bn --data photos/ --image-size 64   photos/train/<class>/*.jpg and photos/val/<class>/*.jpg
  cnnctl train --resume runs/train/lenet5                continue a run that was stopped
  cnnctl train --resume runs/train/lenet5 --epochs 20    train a finished run for longer

A flag whose default is not shown takes it from the model; cnnctl models lists these.`,
		Args: cobra.MaximumNArgs(1),
	}
	flags := cmd.Flags()
	trainFlags(flags, &shown)
	options := graphFlag(flags)
	flags.StringVar(&config, "config", "", "YAML file with settings, keys as in args.yaml; flags override it")
	flags.StringVar(&resume, "resume", "", "continue the run in this directory")
	flags.BoolVarP(&out.quiet, "quiet", "q", false, "print errors only")
	flags.BoolVar(&out.json, "json", false, "print events as lines of JSON on standard output")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		to := listen(out)
		switch {
		case resume != "" && (len(args) > 0 || config != ""):
			return usageError{errors.New("--resume takes model and settings from the run; wanted no model and no --config beside it")}
		case resume != "":
			c, err := train.LoadConfig(resume)
			if err != nil {
				return err
			}
			return runTraining(cmd.Context(), flags, c, resume, to, options()...)
		case len(args) == 0:
			return usageError{errors.New("no model was given; wanted, for example, cnnctl train lenet5; cnnctl models lists them")}
		}
		c, err := settings(cmd, args[0], config)
		if err != nil {
			return err
		}
		return runTraining(cmd.Context(), flags, c, "", to, options()...)
	}
	return cmd
}

// shownDefaults are the defaults that do not depend on the model, for help texts.
func shownDefaults() train.Config {
	return train.Config{Dropout: -1, HFlip: -1, CropPadding: -1, EMADecay: 0.9999, ReMode: "pixel", ReCount: 1, MixProb: 1, MixSwitch: 0.5, MixMode: "batch",
		DecayEpochs: 30, DecayRate: 0.1, Device: "auto", Project: "runs/train"}
}

// settings merges the model's defaults, a configuration file, and flags, in this order.
func settings(cmd *cobra.Command, model, config string) (train.Config, error) {
	info, err := zoo.Lookup(model)
	if err != nil {
		return train.Config{}, usageError{err}
	}
	c := train.Defaults(info)
	if config != "" {
		if err := readConfig(config, &c); err != nil {
			return c, err
		}
		c.Model = info.Name
	}
	if err := apply(cmd.Flags(), &c); err != nil {
		return c, usageError{err}
	}
	return c, nil
}

// runTraining runs a training with settings, or continues the run in the directory resume, with the settings that flags change.
func runTraining(ctx context.Context, flags *pflag.FlagSet, c train.Config, resume string, to *listeners, options ...gpu.Option) error {
	if resume != "" {
		if err := apply(flags, &c); err != nil {
			return usageError{err}
		}
	}
	dev, err := openDevice(c.Device, c.Winograd, options...)
	if err != nil {
		return err
	}
	defer dev.Close()
	var run *train.Run
	if resume != "" {
		run, err = train.Resume(ctx, resume, c, dev, to.observers...)
	} else {
		run, err = train.Start(ctx, c, dev, to.observers...)
	}
	if err != nil {
		return err
	}
	defer run.Close()
	return errors.Join(finishRun(ctx, run, to.printer), to.events.err)
}

// finishRun trains and leaves the pictures.
func finishRun(ctx context.Context, run *train.Run, printer *terminal.Printer) error {
	pictures, err := report.Open(ctx, run)
	if err != nil {
		return err
	}
	_, err = run.Train(ctx)
	if printer != nil {
		printer.Clear()
	}
	if errors.Is(err, train.ErrInterrupted) || errors.Is(err, train.ErrDiverged) {
		return errors.Join(err, pictures.Close(), pictures.Curves())
	}
	if err != nil {
		return errors.Join(err, pictures.Close())
	}
	return errors.Join(pictures.Final(ctx), pictures.Close())
}

// listeners are those who are told what a run does.
type listeners struct {
	observers []train.Observer
	printer   *terminal.Printer // nil if nothing is printed
	events    eventWriter
}

func listen(out output) *listeners {
	l := &listeners{events: eventWriter{w: os.Stdout}}
	if !out.quiet {
		l.printer = terminal.New(os.Stderr)
		l.observers = append(l.observers, l.printer.Observe)
	}
	if out.json {
		l.observers = append(l.observers, l.events.observe)
	}
	return l
}

// eventWriter writes events as lines of JSON. After the first failure it writes no more: half a line would spoil those that follow.
type eventWriter struct {
	w   io.Writer
	err error
}

func (e *eventWriter) observe(event train.Event) {
	if e.err != nil {
		return
	}
	b, err := train.AppendJSON(nil, event, time.Now())
	if err == nil {
		_, err = e.w.Write(b)
	}
	if err != nil {
		e.err = fmt.Errorf("writing events: %w", err)
	}
}
