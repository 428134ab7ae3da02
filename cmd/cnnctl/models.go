package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/cnnctl/cnnctl/report/terminal"
	"github.com/cnnctl/cnnctl/zoo"
	"github.com/spf13/cobra"
)

func modelsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "models",
		Short: "List the networks of the zoo",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "MODEL\tPARAMETERS\tINPUT\tTRAINED WITH\tPAPER")
			for _, m := range zoo.Models() {
				d := m.Defaults
				fmt.Fprintf(w, "%s\t%s\t%v\t%s lr %g, batch %d, %s, %d epochs\t%s\n", m.Name, terminal.Count(m.Params), m.Input, d.Optimizer, d.LR, d.Batch,
					d.Schedule, d.Epochs, m.Paper)
			}
			return w.Flush()
		},
	}
}
