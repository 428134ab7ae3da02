package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/pretrained"
	"github.com/cnnctl/cnnctl/report/terminal"
	"github.com/spf13/cobra"
)

func inspectCommand() *cobra.Command {
	var stats, verify, asJSON bool
	var key string
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Print the tensors and metadata of a checkpoint",
		Long: `Print the tensors of a safetensors or PyTorch file, its metadata, and what a config.json beside it says. Of several dictionaries in
a PyTorch file the model's is taken; --key chooses another. Nothing in the file is executed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := checkpoint.OpenKey(args[0], key)
			if err != nil {
				return err
			}
			defer f.Close()
			in, err := inspect(f, stats)
			if err != nil {
				return err
			}
			if verify {
				if err := f.Verify(); err != nil {
					return err
				}
			}
			if asJSON {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", " ")
				return e.Encode(in)
			}
			if err := in.print(cmd.OutOrStdout()); err != nil || !verify {
				return err
			}
			return printf(cmd.OutOrStdout(), "every digest holds\n")
		},
	}
	cmd.Flags().BoolVar(&stats, "stats", false, "also print range, mean and deviation of each tensor, and how many elements are zero or not finite")
	cmd.Flags().BoolVar(&verify, "verify", false, "also check the digests or checksums that the file carries")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&key, "key", "", "PyTorch: look at the dictionary under this key, such as optimizer/state")
	return cmd
}

// An inspection is what is printed of a file.
type inspection struct {
	File     string                  `json:"file"`
	Bytes    int64                   `json:"bytes"`
	SHA256   string                  `json:"sha256"`
	Elements int64                   `json:"elements"`
	Tensors  []inspected             `json:"tensors"`
	Metadata map[string]string       `json:"metadata"`
	About    *pretrained.Description `json:"description,omitempty"`
}

type inspected struct {
	Name  string            `json:"name"`
	DType checkpoint.DType  `json:"dtype"`
	Shape []int             `json:"shape"`
	Stats *checkpoint.Stats `json:"stats,omitempty"`
}

func inspect(f *checkpoint.File, stats bool) (*inspection, error) {
	in := &inspection{File: f.Path(), Bytes: f.Size(), Metadata: f.Metadata(), Tensors: []inspected{}}
	for _, t := range f.Tensors() {
		in.Elements += int64(t.Elems())
		row := inspected{Name: t.Name, DType: t.DType, Shape: append([]int{}, t.Shape...)}
		if stats {
			s, err := f.Stats(t.Name)
			if err != nil {
				return nil, err
			}
			row.Stats = &s
		}
		in.Tensors = append(in.Tensors, row)
	}
	var err error
	if in.SHA256, err = f.Digest(); err != nil {
		return nil, err
	}
	about, err := pretrained.Describe(f.Path())
	if err != nil {
		return nil, err
	}
	if about.Source != "" {
		in.About = &about
	}
	return in, nil
}

func (in *inspection) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "TENSOR\tTYPE\tSHAPE")
	if len(in.Tensors) > 0 && in.Tensors[0].Stats != nil {
		fmt.Fprint(w, "\tMIN\tMAX\tMEAN\tSTD\tZEROS\tNAN\tINF")
	}
	fmt.Fprintln(w)
	for _, t := range in.Tensors {
		fmt.Fprintf(w, "%s\t%s\t%v", t.Name, t.DType, t.Shape)
		if s := t.Stats; s != nil {
			fmt.Fprintf(w, "\t%.4g\t%.4g\t%.4g\t%.4g\t%d\t%d\t%d", s.Min, s.Max, s.Mean, s.Std, s.Zeros, s.NaNs, s.Infs)
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	err := printf(out, "\n%d tensors, %s elements, %s\nsha256  %s\n", len(in.Tensors), terminal.Count(int(in.Elements)), terminal.Bytes(in.Bytes), in.SHA256)
	if err != nil {
		return err
	}
	for _, k := range slices.Sorted(maps.Keys(in.Metadata)) {
		v := strings.Join(strings.Fields(in.Metadata[k]), " ")
		if r := []rune(v); len(r) > 100 {
			v = fmt.Sprintf("%s... (%d characters)", string(r[:100]), len(r))
		}
		if err := printf(out, "%s: %s\n", k, v); err != nil {
			return err
		}
	}
	if d := in.About; d != nil {
		text := d.Architecture
		if d.Classes > 0 {
			text += fmt.Sprintf(", %d classes", d.Classes)
		}
		if p := d.Preprocess; p != nil {
			text += fmt.Sprintf(", images of %dx%d, mean %v, std %v, %s", p.Size[0], p.Size[1], p.Mean, p.Std, p.Interpolation)
		}
		return printf(out, "%s says: %s\n", d.Source, text)
	}
	return nil
}
