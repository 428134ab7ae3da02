package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/report/terminal"
	"github.com/cnnctl/cnnctl/train"
	"github.com/cnnctl/cnnctl/zoo"
	"github.com/spf13/cobra"
)

func summaryCommand() *cobra.Command {
	var classes, size, channels, batch int
	var opt, dev string
	var precision device.Precision
	cmd := &cobra.Command{
		Use:   "summary MODEL",
		Short: "Print the layers of a network and what it needs",
		Long: `Print each layer with output shape (height x width x channels), parameters and work, and what training needs in memory.

Nothing is allocated. One multiply-add counts as two FLOPs.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			info, err := zoo.Lookup(args[0])
			if err != nil {
				return usageError{err}
			}
			if classes < 0 || size < 0 || channels < 0 || batch < 0 {
				return usageError{errors.New("--classes, --image-size, --channels and --batch-size, wanted positive values, or 0 for the usual one")}
			}
			in := info.Input
			if size > 0 {
				in.H, in.W = size, size
			}
			if channels > 0 {
				in.C = channels
			}
			c := train.Defaults(info)
			if classes == 0 {
				classes = info.Classes
			}
			if batch == 0 {
				batch = c.Batch
			}
			if opt != "" {
				c.Opt = opt
			}
			c.Batch, c.Precision = batch, precision
			if err := c.Check(); err != nil {
				return err
			}
			g, err := zoo.Build(info.Name, in, classes, zoo.Options{})
			if err != nil {
				return usageError{err}
			}
			d, err := openDevice(dev, "auto")
			if err != nil {
				return err
			}
			defer d.Close()
			return printSummary(cmd, g, d, c)
		},
	}
	f := cmd.Flags()
	f.IntVar(&classes, "classes", 0, "classes (default: the published model's)")
	f.IntVar(&size, "image-size", 0, "side of the input in pixels (default: the published model's)")
	f.IntVar(&channels, "channels", 0, "channels of the input (default: the published model's)")
	f.IntVarP(&batch, "batch-size", "b", 0, "batch size for the memory figures (default: the model's)")
	f.StringVar(&opt, "opt", "", "optimizer for the memory figures: "+strings.Join(train.Optimizers, ", "))
	f.StringVar(&dev, "device", "auto", "device for the workspace figure")
	precisionFlag(f, &precision)
	return cmd
}

func printSummary(cmd *cobra.Command, g *graph.Graph, d device.Device, c train.Config) error {
	training, err := graph.PlanTraining(g, d, c.Training(c.Batch))
	if err != nil {
		return err
	}
	single, err := graph.PlanInference(g, d, c.Inference(1))
	if err != nil {
		return err
	}
	inference, err := graph.PlanInference(g, d, c.Inference(c.Batch))
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LAYER\tOPERATION\tOUTPUT\tPARAMETERS\tTRAINED\tFLOPS")
	var flops int64
	for _, n := range g.Nodes() {
		if n.Op == nil {
			fmt.Fprintf(w, "%s\t\t%v\t\t\t\n", n.Name, n.Out)
			continue
		}
		params, trained := 0, "-"
		for _, p := range n.Params {
			if p.Stat {
				continue
			}
			params += p.Len()
			if trained = "yes"; !p.Trainable() {
				trained = "frozen"
			}
		}
		cost := single.Forward(n).FLOPs
		flops += cost
		fmt.Fprintf(w, "%s\t%v\t%v\t%s\t%s\t%s\n", n.Name, n.Op, n.Out, terminal.Count(params), trained, terminal.FLOPs(cost))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	all, trained := g.NumParams()
	m := training.Memory
	return printf(out, `
parameters   %s, of which %s are trained
work         %s for one image forward
training     %s at batch size %d with %s: weights %s, gradients %s, optimizer %s, activations %s, workspace %s, exchange %s
inference    %s at batch size %d
`, terminal.Count(all), terminal.Count(trained), terminal.FLOPs(flops),
		terminal.Bytes(m.Total()), c.Batch, c.Opt, terminal.Bytes(m.Weights), terminal.Bytes(m.Gradients), terminal.Bytes(m.Optimizer),
		terminal.Bytes(m.Activations), terminal.Bytes(m.Workspace), terminal.Bytes(m.Exchange), terminal.Bytes(inference.Memory.Total()), c.Batch)
}
