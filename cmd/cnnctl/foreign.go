package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/pretrained"
	"github.com/cnnctl/cnnctl/report/terminal"
	"github.com/cnnctl/cnnctl/train"
	"github.com/spf13/pflag"
)

// foreign is what the user says of a checkpoint that cnnctl has not written.
type foreign struct {
	train.Foreign
	published string // the name of published weights
	classes   string // a file with the names of the classes
}

const foreignHelp = `
A checkpoint of another program (safetensors, or PyTorch's .pth and .th) does not say everything. Its model is found by the names and shapes of its tensors,
or --model; how its images are prepared by config.json beside it, as timm writes it, or --preprocess, --mean, --std, --channel-order, --scale-to, --resize,
--crop-pct, --image-size and --interpolation; the names of its classes by --classes.`

func foreignFlags(f *pflag.FlagSet, as *foreign) {
	f.StringVar(&as.Model, "model", "", "model of a checkpoint of another program")
	f.StringVar(&as.published, "pretrained", "", "name of a model whose published weights to use, in place of --weights")
	f.StringVar(&as.classes, "classes", "", "file with the names of the classes, one a line, for a checkpoint that does not know them")
	inputFlags(f, &as.Input)
}

// file returns the checkpoint to use: weights, or the published ones, which are fetched if need be.
func (as *foreign) file(ctx context.Context, weights string) (string, error) {
	file, err := pretrainedFile(ctx, as.published, weights, terminal.New(os.Stderr))
	if err == nil && as.published != "" && as.Model == "" {
		as.Model = as.published
	}
	return file, err
}

// load opens the model, and prints what had to be assumed.
func (as *foreign) load(path string, dev device.Device) (*train.Model, error) {
	m, err := train.LoadModel(path, as.Foreign, dev)
	if err != nil {
		return nil, err
	}
	for _, note := range m.Notes {
		fmt.Fprintf(os.Stderr, "cnnctl: warning: %s\n", note)
	}
	if as.classes == "" {
		return m, nil
	}
	if m.Named {
		return nil, usageError{fmt.Errorf("--classes: %s has names for its classes", m.Path)}
	}
	b, err := os.ReadFile(as.classes)
	if err != nil {
		return nil, fmt.Errorf("--classes: %w", err)
	}
	names := strings.Split(strings.TrimRight(strings.ReplaceAll(string(b), "\r", ""), "\n"), "\n")
	if len(names) != len(m.Classes) {
		return nil, usageError{fmt.Errorf("--classes: %s has %d lines, wanted one for each of the %d classes of %s", as.classes, len(names), len(m.Classes), m.Path)}
	}
	m.Classes, m.Named = names, true
	return m, nil
}

// pretrainedFile returns the checkpoint to begin with: the user's, or the published one of a name, which is fetched if need be.
func pretrainedFile(ctx context.Context, published, weights string, printer *terminal.Printer) (string, error) {
	switch {
	case published != "" && weights != "":
		return "", usageError{errors.New("both --weights and --pretrained were given, wanted one of them")}
	case published == "":
		return weights, nil
	}
	finder := &pretrained.Finder{}
	if printer != nil {
		finder.Progress = printer.Download().Observe
		defer printer.Clear()
	}
	return finder.Find(ctx, published)
}
