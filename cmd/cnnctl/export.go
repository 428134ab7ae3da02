package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/onnx"
	"github.com/cnnctl/cnnctl/report/terminal"
	"github.com/cnnctl/cnnctl/train"
	"github.com/spf13/cobra"
)

func exportCommand() *cobra.Command {
	var format, out string
	var fold, force bool
	var as train.Foreign
	cmd := &cobra.Command{
		Use:   "export RUN|FILE",
		Short: "Write trained weights for other programs",
		Long: `Write trained weights for other programs.

  cnnctl export runs/train/resnet18 --format onnx               best.onnx beside the weights
  cnnctl export best.safetensors --format onnx -o net.onnx --fold-bn
  cnnctl export squeezenet1_1.pth --preprocess imagenet         a checkpoint of another program
  cnnctl export runs/train/resnet18 --format safetensors -o net.safetensors

An ONNX model has the operators of opset 17, takes images as float32 (N, channels, height, width) for any N under the name "` + onnx.Input + `", and gives
"` + onnx.Output + `" (N, classes). How an image is prepared, and the names of the classes, are in its metadata under cnnctl.spec. safetensors have the
names and the layout of torchvision.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			endings := map[string]string{"onnx": ".onnx", "safetensors": ".safetensors"}
			ending, ok := endings[format]
			if !ok {
				return usageError{fmt.Errorf("--format %q, wanted onnx or safetensors", format)}
			}
			if fold && format != "onnx" {
				return usageError{errors.New("--fold-bn makes another network, wanted it with --format onnx only")}
			}
			in, err := train.WeightsFile(args[0])
			if err != nil {
				return err
			}
			if out == "" {
				out = strings.TrimSuffix(in, filepath.Ext(in)) + ending
			}
			if _, err := os.Lstat(out); err == nil && !force {
				return usageError{fmt.Errorf("%s exists; --force replaces it, -o names another file", out)}
			}
			what := "tensors with torchvision's names"
			if format == "onnx" {
				spec, err := train.ExportONNX(in, out, as, fold)
				if err != nil {
					return err
				}
				what = fmt.Sprintf("%s for images of %dx%dx%d, %d classes", spec.Model, spec.Input[0], spec.Input[1], spec.Input[2], len(spec.Classes))
			} else if err := exportTensors(in, out); err != nil {
				return err
			}
			st, err := os.Stat(out)
			if err != nil {
				return err
			}
			return printf(cmd.OutOrStdout(), "%s: %s, %s\n", out, what, terminal.Bytes(st.Size()))
		},
	}
	f := cmd.Flags()
	f.StringVar(&format, "format", "onnx", "onnx or safetensors")
	f.StringVarP(&out, "output", "o", "", "file to write (default: beside the weights)")
	f.BoolVar(&fold, "fold-bn", false, "onnx: make batch norms a part of the layers before them")
	f.StringVar(&as.Model, "model", "", "network of a checkpoint that another program wrote, where its tensors do not tell")
	inputFlags(f, &as.Input)
	f.BoolVar(&force, "force", false, "replace the file if it exists")
	return cmd
}

func exportTensors(in, out string) error {
	f, err := checkpoint.Open(in)
	if err != nil {
		return err
	}
	defer f.Close()
	return checkpoint.Convert(f.TorchvisionNames(), out)
}
