package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/report/terminal"
	"github.com/spf13/cobra"
)

func convertCommand() *cobra.Command {
	var key string
	var force bool
	cmd := &cobra.Command{
		Use:   "convert IN OUT.safetensors",
		Short: "Convert a PyTorch checkpoint to safetensors",
		Long: `Write the tensors of a PyTorch or safetensors file to a safetensors file, bit by bit, with a digest of each.

No code of the file is executed: what is not a dictionary of dense tensors is refused. Of several dictionaries the
model's is taken (averaged weights before others), and what was left out is said; --key chooses another.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, out := args[0], args[1]
			if filepath.Ext(out) != ".safetensors" {
				return usageError{fmt.Errorf("%s: wanted a name that ends in .safetensors, the only format that is written", out)}
			}
			if _, err := os.Lstat(out); !force && !errors.Is(err, fs.ErrNotExist) {
				return usageError{fmt.Errorf("%s exists; --force replaces it", out)}
			}
			f, err := checkpoint.OpenKey(in, key)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := checkpoint.Convert(f, out); err != nil {
				return err
			}
			bytes := int64(0)
			for _, t := range f.Tensors() {
				bytes += t.Size
			}
			w, meta := cmd.OutOrStdout(), f.Metadata()
			if err := printf(w, "%s: %d tensors, %s\n", out, len(f.Tensors()), terminal.Bytes(bytes)); err != nil {
				return err
			}
			for _, note := range []struct{ what, key string }{
				{"from the dictionary", checkpoint.MetaKey}, {"left out", checkpoint.MetaSkipped}, {"taken from every name", checkpoint.MetaStripped},
			} {
				if text := meta[note.key]; text != "" {
					if err := printf(w, "%s: %s\n", note.what, text); err != nil {
						return err
					}
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "take the dictionary under this key, such as optimizer/state")
	cmd.Flags().BoolVar(&force, "force", false, "replace OUT if it exists")
	return cmd
}
