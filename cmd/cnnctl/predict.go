package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/train"
	"github.com/spf13/cobra"
)

// errNoImage marks an image that is not there.
var errNoImage = errors.New("no such image")

func predictCommand() *cobra.Command {
	var (
		run, weights, device string
		set                  train.Config // its precision alone
		topk                 int
		maxPixels            int64
		asJSON, asLogits     bool
		as                   foreign
	)
	cmd := &cobra.Command{
		Use:   "predict --run DIR IMAGE...",
		Short: "Classify images",
		Long: `Classify images with the best weights of a run.

  cnnctl predict --run runs/train/lenet5 seven.png --topk 3
  cnnctl predict --pretrained resnet18 --classes imagenet.txt dog.jpg
` + foreignHelp,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, images []string) error {
			if weights == "" {
				weights = run
			}
			if weights == "" && as.published == "" {
				return usageError{errors.New("no weights were given; wanted --run DIR or --weights FILE")}
			}
			if topk < 1 {
				return usageError{fmt.Errorf("--topk %d, wanted at least 1", topk)}
			}
			dev, err := openDevice(device, "auto")
			if err != nil {
				return err
			}
			defer dev.Close()
			if weights, err = as.file(cmd.Context(), weights); err != nil {
				return err
			}
			m, err := as.load(weights, dev)
			if err != nil {
				return err
			}
			p, err := train.NewPredictor(m, set.Precision)
			if err != nil {
				return err
			}
			for _, name := range images {
				if err := cmd.Context().Err(); err != nil {
					return err
				}
				b, err := os.ReadFile(name)
				if errors.Is(err, os.ErrNotExist) {
					return fmt.Errorf("%w: %w", errNoImage, err)
				}
				if err != nil {
					return err
				}
				if asLogits {
					logits, err := p.Logits(b, maxPixels)
					if err != nil {
						return fmt.Errorf("%s: %w", name, err)
					}
					if err := json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"image": name, "logits": logits}); err != nil {
						return fmt.Errorf("writing the output: %w", err)
					}
					continue
				}
				ranked, err := p.Predict(b, maxPixels, topk)
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				if err := printRanked(cmd, name, ranked, asJSON); err != nil {
					return err
				}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&run, "run", "", "run directory")
	f.StringVar(&weights, "weights", "", "checkpoint, in place of a run's best")
	foreignFlags(f, &as)
	f.StringVar(&device, "device", "auto", "auto, cpu, cuda or cuda:N")
	precisionFlag(f, &set.Precision)
	f.IntVar(&topk, "topk", 5, "classes to print for each image")
	f.Int64Var(&maxPixels, "max-pixels", data.DefaultMaxPixels, "largest image that is decoded")
	f.BoolVar(&asJSON, "json", false, "print one line of JSON for each image")
	f.BoolVar(&asLogits, "logits", false, "print the scores of all classes before the softmax, as a line of JSON for each image")
	return cmd
}

func printRanked(cmd *cobra.Command, name string, ranked []train.Ranked, asJSON bool) error {
	w := cmd.OutOrStdout()
	if asJSON {
		return json.NewEncoder(w).Encode(map[string]any{"image": name, "classes": ranked})
	}
	if err := printf(w, "%s\n", name); err != nil {
		return err
	}
	for _, r := range ranked {
		if err := printf(w, "  %6.2f%%  %s\n", 100*r.Prob, r.Class); err != nil {
			return err
		}
	}
	return nil
}
