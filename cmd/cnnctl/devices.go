package main

import (
	"errors"
	"io"
	"strings"

	"github.com/cnnctl/cnnctl/cpu"
	"github.com/cnnctl/cnnctl/data/turbojpeg"
	"github.com/cnnctl/cnnctl/gpu"
	"github.com/spf13/cobra"
)

func devicesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "devices",
		Short: "List the devices that can train",
		Long: `List the devices that can train, and why others cannot; and what decodes JPEG files. --device auto takes the first GPU that can be used, else the CPU.

CUDA_VISIBLE_DEVICES chooses and orders the GPUs. CNNCTL_CUDA_DRIVER names a driver library to use in place of libcuda.so.1,
and CNNCTL_TURBOJPEG one in place of libturbojpeg.so.0.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := cpu.New(0)
			defer d.Close()
			return errors.Join(printf(cmd.OutOrStdout(), "cpu   %s\n", d.Name()), printGPUs(cmd.OutOrStdout()), printJPEG(cmd.OutOrStdout()))
		},
	}
}

// printJPEG tells what decodes JPEG files.
func printJPEG(w io.Writer) error {
	if err := turbojpeg.Load(); err != nil {
		return printf(w, "jpeg  Go's decoder: %v\n", err)
	}
	return printf(w, "jpeg  libjpeg-turbo\n")
}

// printGPUs lists the GPUs, each after opening it: only that shows whether it can run the kernels.
func printGPUs(w io.Writer) error {
	list, err := gpu.List()
	if err != nil {
		return printf(w, "cuda  none: %s\n", strings.TrimPrefix(err.Error(), gpu.ErrNoDevice.Error()+": "))
	}
	for _, g := range list {
		d, err := gpu.Open(g.Index)
		if err != nil {
			if err := printf(w, "cuda  %v\n      cannot be used: %v\n", g, err); err != nil {
				return err
			}
			continue
		}
		if err := errors.Join(printf(w, "cuda  %v\n", g), d.Close()); err != nil {
			return err
		}
	}
	return nil
}
