package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cnnctl/cnnctl/bench"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/gpu"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/report/terminal"
	"github.com/cnnctl/cnnctl/train"
	"github.com/cnnctl/cnnctl/zoo"
	"github.com/spf13/cobra"
)

func benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the speed of loading and training",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(benchDataCommand(), benchTrainCommand(), benchEvalCommand(), benchOpsCommand())
	return cmd
}

func benchDataCommand() *cobra.Command {
	c := train.Defaults(zoo.Info{})
	model, length := "lenet5", 3*time.Second
	cmd := &cobra.Command{
		Use:   "data DATA",
		Short: "Measure how fast images are read, decoded and augmented",
		Long: `Draw batches as a training of MODEL would and throw them away. DATA is anything that train --data takes.

Compare the figure with the images a second of bench train: the loader must be the faster one.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			info, err := zoo.Lookup(model)
			if err != nil {
				return usageError{err}
			}
			run := train.Defaults(info)
			run.Data, run.ImageSize, run.Workers, run.SkipCorrupt, run.JPEG = args[0], c.ImageSize, c.Workers, c.SkipCorrupt, c.JPEG
			if cmd.Flags().Changed("batch-size") {
				run.Batch = c.Batch
			}
			feed, err := train.OpenFeed(cmd.Context(), &run)
			if err != nil {
				return err
			}
			defer feed.Source.Close()
			r, err := bench.Data(cmd.Context(), feed.Batches, length)
			if err != nil {
				return err
			}
			cores := max(run.Workers, 1)
			return printf(cmd.OutOrStdout(), "%v\nJPEG files are decoded by %s\n%d images in %.2fs: %.0f images/s, %.0f images/s for each of %d workers\n", feed.Batches, run.JPEG.Decide(), r.Images,
				r.Elapsed.Seconds(), r.Rate(), r.Rate()/float64(cores), cores)
		},
	}
	f := cmd.Flags()
	f.StringVar(&model, "model", model, "model whose preprocessing is used")
	f.IntVarP(&c.Batch, "batch-size", "b", 0, "samples per batch (default: the model's)")
	f.IntVar(&c.ImageSize, "image-size", 0, "side of the input in pixels; 0: as train would")
	f.IntVarP(&c.Workers, "workers", "j", c.Workers, "goroutines that load data")
	f.IntVar(&c.SkipCorrupt, "skip-corrupt", 0, "corrupt images to tolerate")
	jpegFlag(f, &c.JPEG)
	f.DurationVar(&length, "time", length, "how long to measure")
	return cmd
}

func benchOpsCommand() *cobra.Command {
	var b benchFlags
	rounds, asCSV := 5, false
	cmd := &cobra.Command{
		Use:   "ops MODEL",
		Short: "Measure each call of a network's training step",
		Long: `List every call of the training step with its time, its rate, and how near it comes to the least time that its arithmetic or its
traffic allows: the roofline. On a GPU that is the one of its architecture and its highest clocks, and each call is timed by the GPU's own
events; on the CPU it is that of a large matrix product and a large copy, measured in the same run.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			g, dev, c, err := b.open(args[0])
			if err != nil {
				return err
			}
			defer dev.Close()
			if rounds < 1 {
				return usageError{fmt.Errorf("--rounds %d, wanted at least 1", rounds)}
			}
			calls, ceiling, err := bench.Calls(g, dev, c, rounds)
			if err != nil {
				return err
			}
			if asCSV {
				return writeCalls(cmd.OutOrStdout(), calls)
			}
			return printCalls(cmd, dev, calls, ceiling)
		},
	}
	b.define(cmd)
	cmd.Flags().IntVar(&rounds, "rounds", rounds, "runs of each call, of which the fastest counts")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print the figures alone, in seconds, floating-point operations and bytes")
	return cmd
}

// writeCalls writes the calls for programs to read.
func writeCalls(to io.Writer, calls []graph.CallTime) error {
	w := csv.NewWriter(to)
	rows := [][]string{{"layer", "pass", "call", "seconds", "flops", "bytes"}}
	for _, k := range calls {
		rows = append(rows, []string{k.Layer, k.Pass, k.Call, strconv.FormatFloat(k.Time.Seconds(), 'g', 5, 64),
			strconv.FormatInt(k.Cost.FLOPs, 10), strconv.FormatInt(k.Cost.Bytes, 10)})
	}
	return w.WriteAll(rows)
}

func printCalls(cmd *cobra.Command, dev device.Device, calls []graph.CallTime, ceiling bench.Ceiling) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', tabwriter.AlignRight)
	highest := slices.Max(ceiling.FLOPS[:])
	unit, name := 1e9, "GFLOP/s"
	if highest >= 1e12 {
		unit, name = 1e12, "TFLOP/s"
	}
	fmt.Fprintf(w, "layer\tpass\tcall\ttime\tshare\t%s\tGB/s\tof roofline\t\n", name)
	var total, floors time.Duration
	var sum device.Cost
	for _, k := range calls {
		total += k.Time
	}
	row := func(layer, pass, call string, k device.Cost, t, floor time.Duration) {
		s := t.Seconds()
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.1f%%\t%.1f\t%.1f\t%.0f%%\t\n", layer, pass, call, t.Round(time.Microsecond/10), 100*s/total.Seconds(),
			float64(k.FLOPs)/s/unit, float64(k.Bytes)/s/1e9, 100*floor.Seconds()/s)
	}
	for _, k := range calls {
		floor := ceiling.Floor(k.Cost, k.Precision)
		row(k.Layer, k.Pass, k.Call, k.Cost, k.Time, floor)
		sum, floors = sum.Plus(k.Cost), floors+floor
	}
	row("all", "", "", sum, total, floors)
	if err := w.Flush(); err != nil {
		return err
	}
	used := map[device.Precision]bool{}
	for _, k := range calls {
		used[k.Precision] = true
	}
	var rates []string
	for p, v := range ceiling.FLOPS {
		if used[device.Precision(p)] {
			rates = append(rates, fmt.Sprintf("%.1f %s in %v", v/unit, name, device.Precision(p)))
		}
	}
	source := "reached by a large matrix product and a large copy in this run"
	if ceiling.Rated {
		source = "by the architecture and its highest clocks"
	}
	return printf(cmd.OutOrStdout(), "\n%s\nroofline: %s, %s/s, %s\n%s", dev.Name(), strings.Join(rates, ", "), terminal.Bytes(int64(ceiling.Bytes)), source, emulationNote(dev))
}

// emulationNote says what figures of the emulated driver are worth.
func emulationNote(dev device.Device) string {
	if gpu.Emulated() && strings.HasPrefix(dev.Name(), "cuda") {
		return "the CUDA driver is the emulated one: these times say nothing about a GPU\n"
	}
	return ""
}
