package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/report/terminal"
	"github.com/spf13/cobra"
)

func inspectCommand() *cobra.Command {
	var stats, verify bool
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Print the tensors and metadata of a checkpoint",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := checkpoint.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			if err := printTensors(cmd, f, stats); err != nil {
				return err
			}
			if !verify {
				return nil
			}
			if err := f.Verify(); err != nil {
				return err
			}
			return printf(cmd.OutOrStdout(), "every digest holds\n")
		},
	}
	cmd.Flags().BoolVar(&stats, "stats", false, "also print range, mean and deviation of each tensor")
	cmd.Flags().BoolVar(&verify, "verify", false, "also check the digests that the file carries")
	return cmd
}

func printTensors(cmd *cobra.Command, f *checkpoint.File, stats bool) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "TENSOR\tTYPE\tSHAPE")
	if stats {
		fmt.Fprint(w, "\tMIN\tMAX\tMEAN\tSTD\tZEROS\tNOT FINITE")
	}
	fmt.Fprintln(w)
	elements := int64(0)
	for _, t := range f.Tensors() {
		elements += int64(t.Elems())
		fmt.Fprintf(w, "%s\t%s\t%v", t.Name, t.DType, t.Shape)
		if stats {
			s, err := f.Stats(t.Name)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "\t%.4g\t%.4g\t%.4g\t%.4g\t%d\t%d", s.Min, s.Max, s.Mean, s.Std, s.Zeros, s.NaNs+s.Infs)
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	digest, err := f.Digest()
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if err := printf(out, "\n%d tensors, %s elements, %s\nsha256  %s\n", len(f.Tensors()), terminal.Count(int(elements)), terminal.Bytes(f.Size()), digest); err != nil {
		return err
	}
	meta := f.Metadata()
	keys := make([]string, 0, len(meta))
	for k := range meta {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		v := strings.Join(strings.Fields(meta[k]), " ")
		if r := []rune(v); len(r) > 100 {
			v = fmt.Sprintf("%s... (%d characters)", string(r[:100]), len(r))
		}
		if err := printf(out, "%s: %s\n", k, v); err != nil {
			return err
		}
	}
	return nil
}
