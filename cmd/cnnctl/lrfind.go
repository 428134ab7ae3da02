package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/pretrained"
	"github.com/cnnctl/cnnctl/report"
	"github.com/cnnctl/cnnctl/report/terminal"
	"github.com/cnnctl/cnnctl/train"
	"github.com/spf13/cobra"
)

func lrFindCommand() *cobra.Command {
	var (
		config, name  string
		in            pretrained.Input
		quiet, asJSON bool
		test          = train.DefaultRangeTest
		shown         = shownDefaults()
	)
	shown.Project = filepath.Join("runs", "lr-find")
	cmd := &cobra.Command{
		Use:   "lr-find [MODEL]",
		Short: "Suggest a learning rate",
		Long: `Suggest a learning rate by a range test: train for a hundred steps in which the rate grows from 1e-7 to 10, and watch the loss. The test ends
when the loss explodes. Flags are those of train, or of finetune if --weights, --pretrained or --strategy is given; the rate, its schedule and
the number of epochs do not matter.

  cnnctl lr-find lenet5 --opt adamw
  cnnctl lr-find --pretrained resnet18 --data photos/ --strategy head

Two rates are suggested: where the loss falls most steeply, and the middle of its longest decline. A table and a picture are left in
runs/lr-find/NAME; nothing else is kept of the test.`,
		Args: cobra.MaximumNArgs(1),
	}
	f := cmd.Flags()
	trainFlags(f, &shown)
	tuneFlags(f, &shown)
	inputFlags(f, &in)
	f.StringVar(&name, "pretrained", "", "name of a model whose published weights to begin with")
	f.StringVar(&config, "config", "", "YAML file with settings, keys as in args.yaml; flags override it")
	f.Float64Var(&test.Start, "start-lr", test.Start, "learning rate of the first step")
	f.Float64Var(&test.End, "end-lr", test.End, "learning rate of the last step")
	f.IntVar(&test.Steps, "steps", test.Steps, "steps of the test")
	f.BoolVarP(&quiet, "quiet", "q", false, "print no progress")
	f.BoolVar(&asJSON, "json", false, "print the result as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var c train.Config
		var err error
		switch {
		case f.Changed("weights") || f.Changed("pretrained") || f.Changed("strategy"):
			c, err = tuneSettings(cmd, args, config, name, in, terminal.New(os.Stderr))
		case len(args) == 0:
			return usageError{errors.New("no model was given; wanted, for example, cnnctl lr-find lenet5")}
		default:
			c, err = settings(cmd, args[0], config)
		}
		if err != nil {
			return err
		}
		if !cmd.Flags().Changed("project") {
			c.Project = shown.Project
		}
		return findRate(cmd, c, test, quiet, asJSON)
	}
	return cmd
}

// findRate runs the test and leaves its results.
func findRate(cmd *cobra.Command, c train.Config, test train.RangeTest, quiet, asJSON bool) error {
	dev, err := openDevice(c.Device, c.Winograd)
	if err != nil {
		return err
	}
	defer dev.Close()
	printer := terminal.New(os.Stderr)
	progress := func(p train.RatePoint, step int) {
		if !quiet {
			printer.Status(step, test.Steps, fmt.Sprintf("step %d/%d  lr %.2e  loss %.4f  average %.4f", step, test.Steps, p.LR, p.Loss, p.Smooth))
		}
	}
	curve, c, err := train.FindRate(cmd.Context(), c, dev, test, progress)
	printer.Clear()
	if err != nil {
		return err
	}
	dir, err := leaveRates(c, curve)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(struct {
			train.RateCurve
			Dir string `json:"dir"`
		}{curve, dir})
	}
	return printRates(cmd, c, curve, dir)
}

// leaveRates writes the results into a directory of their own.
func leaveRates(c train.Config, curve train.RateCurve) (path string, err error) {
	name := c.Name
	if name == "" {
		name = c.Model
	}
	dir, err := train.CreateDir(c.Project, name)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	write := func(name string, f func(io.Writer, train.RateCurve) error) error {
		return checkpoint.AtomicWrite(dir.File(name), func(w io.Writer) error { return f(w, curve) })
	}
	if err := dir.SaveConfig(c); err != nil {
		return "", err
	}
	if err := write("lr_find.csv", report.RatesCSV); err != nil {
		return "", err
	}
	if len(curve.Points) > 1 {
		err = write("lr_find.png", report.Rates)
	}
	return dir.Path, err
}

func printRates(cmd *cobra.Command, c train.Config, curve train.RateCurve, dir string) error {
	w := cmd.OutOrStdout()
	ended := "up to the last rate"
	if n := len(curve.Points); curve.Diverged && n > 0 {
		ended = "until the loss exploded"
	}
	last := 0.0
	if n := len(curve.Points); n > 0 {
		last = curve.Points[n-1].LR
	}
	if err := printf(w, "%s with %s, batch size %d: %d steps, %s at %.2e\n", c.Model, c.Opt, c.Batch, len(curve.Points), ended, last); err != nil {
		return err
	}
	if curve.Valley == 0 {
		if err := printf(w, "  no suggestion: the loss does not fall at any rate\n"); err != nil {
			return err
		}
	} else if err := printf(w, "  valley    %.2e  the middle of the longest decline\n  steepest  %.2e  where the loss falls fastest\n", curve.Valley, curve.Steepest); err != nil {
		return err
	}
	return printf(w, "Table and picture are in %s\n", dir)
}
