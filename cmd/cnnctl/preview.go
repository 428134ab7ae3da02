package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/report"
	"github.com/cnnctl/cnnctl/train"
	"github.com/spf13/cobra"
)

func dataPreviewCommand() *cobra.Command {
	var (
		model, config, out string
		samples, versions  int
		shown              = shownDefaults()
	)
	cmd := &cobra.Command{
		Use:   "preview DATA",
		Short: "Draw what a network will see of a data set",
		Long: `Draw a contact sheet with samples of each class: the original, and what it becomes in the first epochs of a training with the same flags and
the same seed. DATA is anything that train --data takes.

  cnnctl data preview photos/ --aa rand-m9-n2-mstd0.5 --reprob 0.25
  cnnctl data preview digits --model lenet5 --rotation 15 --out digits.png`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := pictureFormat(out)
			if err != nil {
				return err
			}
			if samples < 1 || versions < 1 {
				return usageError{fmt.Errorf("--samples %d --versions %d, wanted at least 1 of each", samples, versions)}
			}
			c, err := settings(cmd, model, config)
			if err != nil {
				return err
			}
			if c.Data = args[0]; c.Batch == train.AutoBatch {
				return usageError{errors.New("--batch-size auto with a preview, for which no device is opened; wanted a number")}
			}
			feed, err := train.OpenFeed(cmd.Context(), &c)
			if err != nil {
				return err
			}
			defer feed.Source.Close()
			err = checkpoint.AtomicWrite(out, func(w io.Writer) error { return report.Preview(cmd.Context(), w, format, feed, samples, versions) })
			if err != nil {
				return err
			}
			in := feed.Spec.Input
			return printf(cmd.OutOrStdout(), "%s: %s, %d training samples of %d classes\ninput    %dx%dx%d\naugment  %v\nwritten  %s\n",
				args[0], feed.Source.Format, feed.Source.Train.Len(), len(feed.Spec.Classes), in[0], in[1], in[2], feed.Pipe, out)
		},
	}
	f := cmd.Flags()
	f.StringVar(&model, "model", "resnet18", "network whose defaults and input size are used")
	f.StringVar(&config, "config", "", "YAML file with settings, keys as in args.yaml; flags override it")
	f.StringVarP(&out, "out", "o", "preview.jpg", "picture to write, .jpg or .png")
	f.IntVarP(&samples, "samples", "n", 8, "rows: samples of the training part, from each class in turn")
	f.IntVar(&versions, "versions", 6, "epochs to show of each")
	imageFlags(f, &shown)
	f.IntVarP(&shown.Batch, "batch-size", "b", 0, "samples of a batch that MixUp and CutMix mix")
	f.Uint64Var(&shown.Seed, "seed", 0, "seed of every random choice")
	return cmd
}

// pictureFormat tells from a file's name how to encode it.
func pictureFormat(name string) (string, error) {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".jpg", ".jpeg":
		return "jpeg", nil
	case ".png":
		return "png", nil
	}
	return "", usageError{fmt.Errorf("--out %s, wanted a name that ends in .jpg or .png", name)}
}
