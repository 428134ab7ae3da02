package main

import (
	"github.com/cnnctl/cnnctl/cpu"
	"github.com/spf13/cobra"
)

func devicesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "devices",
		Short: "List the devices that can train",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := cpu.New(0)
			defer d.Close()
			return printf(cmd.OutOrStdout(), "cpu   %s\ncuda  none: this binary has the CPU device only\n", d.Name())
		},
	}
}
