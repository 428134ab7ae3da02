package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/cnnctl/cnnctl/bench"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/gpu"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/train"
	"github.com/cnnctl/cnnctl/zoo"
	"github.com/spf13/cobra"
)

// benchFlags are the flags that bench train, bench eval and bench ops share.
type benchFlags struct {
	batch, size, channels, classes int
	opt, device, winograd          string
	precision                      device.Precision
	options                        func() []gpu.Option
}

func (b *benchFlags) define(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVarP(&b.batch, "batch-size", "b", 0, "samples per step (default: the model's)")
	f.IntVar(&b.size, "image-size", 0, "side of the input in pixels (default: the published model's)")
	f.IntVar(&b.channels, "channels", 0, "channels of the input (default: the published model's)")
	f.IntVar(&b.classes, "classes", 0, "classes (default: the published model's)")
	f.StringVar(&b.opt, "opt", "", "optimizer (default: the model's)")
	f.StringVar(&b.device, "device", "auto", "auto, cpu, cuda or cuda:N")
	f.StringVar(&b.winograd, "winograd", "auto", winogradUsage)
	precisionFlag(f, &b.precision)
	b.options = graphFlag(f)
}

// open builds the model and opens the device.
func (b *benchFlags) open(model string) (*graph.Graph, device.Device, train.Config, error) {
	info, err := zoo.Lookup(model)
	if err != nil {
		return nil, nil, train.Config{}, usageError{err}
	}
	c := train.Defaults(info)
	in, classes := info.Input, info.Classes
	for _, set := range []struct {
		value int
		to    *int
	}{{b.batch, &c.Batch}, {b.size, &in.H}, {b.size, &in.W}, {b.channels, &in.C}, {b.classes, &classes}} {
		if set.value != 0 {
			*set.to = set.value
		}
	}
	if b.opt != "" {
		c.Opt = b.opt
	}
	c.Precision = b.precision
	if err := c.Check(); err != nil {
		return nil, nil, c, err
	}
	g, err := zoo.Build(info.Name, in, classes, zoo.Options{})
	if err != nil {
		return nil, nil, c, usageError{err}
	}
	dev, err := openDevice(b.device, b.winograd, b.options()...)
	return g, dev, c, err
}

func benchTrainCommand() *cobra.Command {
	var b benchFlags
	var m measureFlags
	var from string
	cmd := &cobra.Command{
		Use:   "train MODEL",
		Short: "Measure the training step of a network",
		Long: `Measure the training step, optimizer included, beside the device's own matrix product in the same run: on one random batch, or with
--data on batches that are loaded meanwhile as in a training. The time then includes what the step waits for them.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var feed *train.Feed
			if from != "" {
				var err error
				if feed, err = b.openFeed(cmd.Context(), args[0], from); err != nil {
					return err
				}
				defer feed.Source.Close()
			}
			return b.measure(cmd, args[0], &m, feed, bench.Training)
		},
	}
	b.define(cmd)
	m.define(cmd)
	cmd.Flags().StringVar(&from, "data", "", "data set to load batches from; it decides on input and classes")
	return cmd
}

func benchEvalCommand() *cobra.Command {
	var b benchFlags
	var m measureFlags
	cmd := &cobra.Command{
		Use:   "eval MODEL",
		Short: "Measure the evaluation of a network",
		Long:  `Measure the evaluation of one random batch, as eval runs it, beside the device's own matrix product in the same run.`,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return b.measure(cmd, args[0], &m, nil, bench.Inference)
		},
	}
	b.define(cmd)
	m.define(cmd)
	return cmd
}

// openFeed opens a data set as a training of the model would, and lets it decide on the input.
func (b *benchFlags) openFeed(ctx context.Context, model, from string) (*train.Feed, error) {
	info, err := zoo.Lookup(model)
	if err != nil {
		return nil, usageError{err}
	}
	c := train.Defaults(info)
	c.Data, c.ImageSize = from, b.size
	if b.batch != 0 {
		c.Batch = b.batch
	}
	feed, err := train.OpenFeed(ctx, &c)
	if err != nil {
		return nil, err
	}
	b.batch, b.size, b.channels, b.classes = c.Batch, feed.Spec.Input[0], feed.Spec.Input[2], len(feed.Spec.Classes)
	return feed, nil
}

// measureFlags say how a program is measured.
type measureFlags struct {
	length time.Duration
	paced  bool
}

func (m *measureFlags) define(cmd *cobra.Command) {
	m.length = 5 * time.Second
	cmd.Flags().DurationVar(&m.length, "time", m.length, "how long to measure")
	cmd.Flags().BoolVar(&m.paced, "paced", false, "for each number on standard input run so many steps, and print the seconds that each took")
}

// measure compiles a program of a model and prints its speed.
func (b *benchFlags) measure(cmd *cobra.Command, model string, m *measureFlags, feed *train.Feed,
	compile func(*graph.Graph, device.Device, train.Config) (*bench.Work, error)) error {
	g, dev, c, err := b.open(model)
	if err != nil {
		return err
	}
	defer dev.Close()
	work, err := compile(g, dev, c)
	if err != nil {
		return err
	}
	defer work.Close()
	if feed != nil {
		work.Feed(cmd.Context(), feed.Batches)
	}
	if m.paced {
		return paced(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), dev.Name(), work)
	}
	r, err := work.Measure(cmd.Context(), m.length)
	if err != nil {
		return err
	}
	t := r.Median().Seconds()
	rate, peak, best := float64(r.Cost.FLOPs)/t, r.Ceiling.FLOPS[c.Precision], "a large matrix product"
	if r.Ceiling.Rated {
		best = "the architecture at its highest clocks"
	}
	data := "one random batch"
	if feed != nil {
		data = fmt.Sprintf("waited for data %.1f%% of the time", 100*r.Wait.Seconds()/r.Total().Seconds())
	}
	return printf(cmd.OutOrStdout(), `%s, input %v, batch size %d, %s, on %s
  %.1f images/s, %.4gs per step (median of %d), %s
  %.1f GFLOP/s: %.0f%% of the %.1f GFLOP/s of %s
%s`, model, g.Input().Out, r.Batch, c.Opt, dev.Name(), float64(r.Batch)/t, t, len(r.Times), data,
		rate/1e9, 100*rate/peak, peak/1e9, best, emulationNote(dev))
}

// paced lets the reader of w and writer of r set the pace, so that two programs can be measured in turn without starting them anew: it
// prints the device, and then answers each line with one line.
func paced(ctx context.Context, r io.Reader, w io.Writer, device string, work *bench.Work) error {
	if err := printf(w, "%s\n", device); err != nil {
		return err
	}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		steps, err := strconv.Atoi(strings.TrimSpace(lines.Text()))
		if err != nil || steps < 1 {
			return usageError{fmt.Errorf("%q on standard input, wanted a number of steps", lines.Text())}
		}
		times := make([]string, steps)
		for i := range times {
			if err := ctx.Err(); err != nil {
				return err
			}
			d, err := work.Once()
			if err != nil {
				return err
			}
			times[i] = strconv.FormatFloat(d.Seconds(), 'g', 5, 64)
		}
		if err := printf(w, "%s\n", strings.Join(times, " ")); err != nil {
			return err
		}
	}
	return lines.Err()
}
