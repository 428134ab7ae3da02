package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/pretrained"
	"github.com/cnnctl/cnnctl/train/diagnose"
	"github.com/spf13/cobra"
)

func diagnoseCommand() *cobra.Command {
	var (
		config, name, source string
		in                   pretrained.Input
		out                  output
		shown                = shownDefaults().ForTuning()
	)
	shown.Project = filepath.Join("runs", "diagnose")
	cmd := &cobra.Command{
		Use:   "diagnose [MODEL] --weights FILE --data DIR",
		Short: "Tell whether pretrained weights serve for other data",
		Long: `Tell whether pretrained weights serve for other data, and what goes wrong if they do not.

  cnnctl diagnose --pretrained resnet18 --data photos/
  cnnctl diagnose --weights runs/train/lenet5 --data other/ --source-data digits

The network is trained three times with the same data, epochs and rate: the head alone, all layers, and all layers from random weights. Further
measured are LogME of the features, the distance between the activation statistics of the source and the target (those that batch norms have
kept, or of --source-data), how far each layer moved, and, with --source-data, what was forgotten. The verdict is one of: healthy transfer,
no difference, negative transfer, domain mismatch, over-freezing, over-fine-tuning, too little data.

Flags are those of finetune. The report and the three runs are left in runs/diagnose/NAME.`,
		Args: cobra.MaximumNArgs(1),
	}
	flags := cmd.Flags()
	trainFlags(flags, &shown)
	tuneFlags(flags, &shown)
	inputFlags(flags, &in)
	hidden := flags.Lookup("strategy")
	hidden.Hidden = true // all that matter are run
	flags.StringVar(&name, "pretrained", "", "name of a model whose published weights to begin with")
	flags.StringVar(&source, "source-data", "", "data that the weights were trained on")
	flags.StringVar(&config, "config", "", "YAML file with settings, keys as in args.yaml; flags override it")
	flags.BoolVarP(&out.quiet, "quiet", "q", false, "print the report only")
	flags.BoolVar(&out.json, "json", false, "print the report as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if hidden.Changed {
			return usageError{errors.New("--strategy with diagnose, which compares the strategies; wanted none")}
		}
		to := listen(output{quiet: out.quiet})
		c, err := tuneSettings(cmd, args, config, name, in, to.printer)
		if err != nil {
			return err
		}
		if !flags.Changed("project") {
			c.Project = shown.Project
		}
		o := diagnose.Options{Config: c, SourceData: source, Open: func() (device.Device, error) { return openDevice(c.Device, c.Winograd) }}
		if to.printer != nil {
			o.Observer = to.printer.Observe
			o.Note = func(text string) {
				to.printer.Clear()
				fmt.Fprintln(cmd.ErrOrStderr(), text)
			}
		}
		report, err := diagnose.Run(cmd.Context(), o)
		if to.printer != nil {
			to.printer.Clear()
		}
		if err != nil {
			return err
		}
		if out.json {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(report)
		}
		if err := report.Text(cmd.OutOrStdout()); err != nil {
			return fmt.Errorf("writing the output: %w", err)
		}
		return printf(cmd.OutOrStdout(), "The report and the three runs are in %s\n", report.Dir)
	}
	return cmd
}
