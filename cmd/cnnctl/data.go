package main

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/train"
	"github.com/cnnctl/cnnctl/zoo"
	"github.com/spf13/cobra"
)

func dataCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "data",
		Short: "Look at data sets",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(dataCheckCommand(), dataPreviewCommand())
	return cmd
}

func dataCheckCommand() *cobra.Command {
	c := train.Defaults(zoo.Info{})
	cmd := &cobra.Command{
		Use:   "check DATA",
		Short: "Read every sample of a data set and report what is wrong with it",
		Long: `Read every sample and print classes, sizes, mean and deviation of the channels, and each file that cannot be decoded.

DATA is anything that train --data takes. The exit code is 3 if a sample is corrupt.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Data = args[0]
			src, err := train.OpenData(&c, zoo.Info{})
			if err != nil {
				return err
			}
			defer src.Close()
			if err := printf(cmd.OutOrStdout(), "%s: %s\n", c.Data, src.Format); err != nil {
				return err
			}
			for _, note := range src.Notes {
				if err := printf(cmd.OutOrStdout(), "note: %s\n", note); err != nil {
					return err
				}
			}
			return errors.Join(checkPart(cmd, "training", src.Train), checkPart(cmd, "validation", src.Val))
		},
	}
	cmd.Flags().Float64Var(&c.ValSplit, "val-split", c.ValSplit, "share of each class to validate on, where the data has no such part")
	cmd.Flags().Uint64Var(&c.Seed, "seed", c.Seed, "seed of that split")
	cmd.Flags().Int64Var(&c.MaxPixels, "max-pixels", c.MaxPixels, "largest image that is decoded")
	return cmd
}

// checkPart reads one part of a data set. The error names how many samples are corrupt.
func checkPart(cmd *cobra.Command, name string, set data.Dataset) error {
	if set == nil {
		return nil
	}
	st, err := data.Check(cmd.Context(), set, runtime.GOMAXPROCS(0), nil)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	err = printf(out, "\n%s part: %d samples of %d classes, %d channels, %dx%d to %dx%d pixels (width x height)\n", name, st.Samples, len(st.PerClass), st.Channels,
		st.MinW, st.MinH, st.MaxW, st.MaxH)
	if err == nil {
		err = printf(out, "  mean %.4f  std %.4f\n", st.Mean, st.Std)
	}
	for i, n := range st.PerClass {
		if err == nil {
			err = printf(out, "  %-24s %7d\n", set.Classes()[i], n)
		}
	}
	for _, bad := range st.Corrupt {
		if err == nil {
			err = printf(out, "  corrupt: %v\n", bad.Err)
		}
	}
	if err == nil && len(st.Corrupt) > 0 {
		err = fmt.Errorf("%w: %d of %d samples of the %s part; remove them, or train with --skip-corrupt %d", data.ErrCorrupt, len(st.Corrupt), st.Samples, name, len(st.Corrupt))
	}
	return err
}
