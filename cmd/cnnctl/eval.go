package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/report"
	"github.com/cnnctl/cnnctl/train"
	"github.com/cnnctl/cnnctl/zoo"
	"github.com/spf13/cobra"
)

func evalCommand() *cobra.Command {
	var (
		run, weights, device, project string
		winograd                      string
		set                           train.Config
		asJSON                        bool
		batch, workers                int
		labels                        string
		as                            foreign
	)
	cmd := &cobra.Command{
		Use:   "eval --run DIR",
		Short: "Measure trained weights on a data set",
		Long: `Measure trained weights on the validation part of a data set.

  cnnctl eval --run runs/train/lenet5                    the data of the run
  cnnctl eval --run runs/train/lenet5 --data other/      other data with the same classes
  cnnctl eval --weights best.safetensors --data mnist/   a checkpoint that has left its run
  cnnctl eval --weights squeezenet1_1.pth --preprocess caffe --data val/ --labels val.csv

Without class folders, --labels names a table with a line such as picture.jpg,7 for each image: its class by name, or by its index from 0.
Confusion matrix and predictions are left in runs/eval/NAME.
` + foreignHelp,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			file, err := as.file(ctx, weights)
			if err != nil {
				return err
			}
			path, c, err := evalTarget(run, file, set)
			if err != nil {
				return err
			}
			dev, err := openDevice(device, winograd)
			if err != nil {
				return err
			}
			defer dev.Close()
			m, err := as.load(path, dev)
			if err != nil {
				return err
			}
			src, err := m.OpenData(&c, labels)
			if err != nil {
				return err
			}
			defer src.Close()
			e, err := train.NewEvaluator(m.Weights, src.Val, m.Pipe, set.Inference(batch), workers)
			if err != nil {
				return err
			}
			got, err := e.Run(ctx)
			if err != nil {
				return err
			}
			dir, err := train.CreateDir(project, m.Spec.Model)
			if err != nil {
				return err
			}
			defer dir.Close()
			if err := report.Evaluation(dir.Path, got, src.Val); err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"weights": m.Path, "data": c.Data, "samples": got.Samples,
					"loss": got.Loss, "top1": got.Top1, "top5": got.Top5, "confusion": got.Confusion, "dir": dir.Path})
			}
			if n := len(src.Skipped()); n > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "cnnctl: warning: %d corrupt samples were skipped, and others of their classes evaluated in their place\n", n)
			}
			return printMetrics(cmd, m, c.Data, src.Val, got, dir.Path)
		},
	}
	f := cmd.Flags()
	set = train.Defaults(zoo.Info{})
	f.StringVar(&run, "run", "", "run directory")
	f.StringVar(&weights, "weights", "", "checkpoint, in place of a run's best")
	f.StringVar(&labels, "labels", "", "table with the class of each image, where --data has no class folders")
	foreignFlags(f, &as)
	f.StringVar(&set.Data, "data", "", "data set (default: the run's)")
	f.StringVar(&device, "device", "auto", "auto, cpu, cuda or cuda:N")
	precisionFlag(f, &set.Precision)
	f.StringVar(&winograd, "winograd", "auto", winogradUsage)
	f.StringVar(&project, "project", filepath.Join("runs", "eval"), "folder of the result directories")
	f.IntVar(&set.SkipCorrupt, "skip-corrupt", 0, "corrupt images to tolerate")
	f.IntVarP(&batch, "batch-size", "b", 128, "samples per step")
	f.IntVarP(&workers, "workers", "j", set.Workers, "goroutines that load data")
	f.BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

// evalTarget returns the checkpoint to evaluate and the settings that its data is opened with: the run's, so that a split is drawn again as it
// was, unless the user names other data.
func evalTarget(run, weights string, set train.Config) (path string, c train.Config, err error) {
	switch {
	case run == "" && weights == "":
		return "", c, usageError{errors.New("nothing to evaluate was given; wanted --run DIR or --weights FILE")}
	case run == "" && set.Data == "":
		return "", c, usageError{errors.New("--weights without --run needs --data as well")}
	case run == "":
		return weights, set, nil
	}
	if c, err = train.LoadConfig(run); err != nil {
		return "", c, err
	}
	if set.Data != "" {
		c.Data = set.Data
	}
	if set.SkipCorrupt > 0 {
		c.SkipCorrupt = set.SkipCorrupt
	}
	if weights == "" {
		weights = run
	}
	return weights, c, nil
}

func printMetrics(cmd *cobra.Command, m *train.Model, from string, set data.Dataset, got train.Metrics, dir string) error {
	w := cmd.OutOrStdout()
	if err := printf(w, "%s (%s) on %d samples of %s\n  top-1  %.2f%%\n  top-5  %.2f%%\n  loss   %.4f\n",
		m.Spec.Model, m.Path, got.Samples, from, 100*got.Top1, 100*got.Top5, got.Loss); err != nil {
		return err
	}
	if classes := set.Classes(); len(classes) <= 30 {
		for i, row := range got.Confusion {
			n := 0
			for _, v := range row {
				n += v
			}
			if n == 0 {
				continue
			}
			if err := printf(w, "  %-20s %6.2f%% of %d\n", classes[i], 100*float64(row[i])/float64(n), n); err != nil {
				return err
			}
		}
	}
	return printf(w, "Confusion matrix and predictions are in %s\n", dir)
}
