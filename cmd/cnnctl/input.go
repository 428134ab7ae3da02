package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cnnctl/cnnctl/pretrained"
	"github.com/spf13/pflag"
)

// inputFlags defines the flags that say how the images of another program's checkpoint are prepared. The size of the input has a flag of its
// own, --image-size, where a command does not have it already.
func inputFlags(f *pflag.FlagSet, in *pretrained.Input) {
	f.StringVar(&in.Preset, "preprocess", "", "preprocessing that the checkpoint was trained with: "+strings.Join(pretrained.Presets(), ", "))
	f.IntVar(&in.Resize, "resize", 0, "what the short side becomes before the centre is cut out, in pixels")
	f.Var((*numbers)(&in.Mean), "mean", "mean that is subtracted, for each channel")
	f.Var((*numbers)(&in.Std), "std", "deviation that is divided by, for each channel")
	f.StringVar(&in.Order, "channel-order", "", "rgb or bgr")
	f.Float64Var(&in.Scale, "scale-to", 0, "what white is before the mean is subtracted: 1 or 255")
	f.StringVar(&in.Interpolation, "interpolation", "", "resampling of the resize: bilinear, bicubic, ...")
	if f.Lookup("image-size") == nil {
		f.IntVar(&in.Size, "image-size", 0, "side of the input in pixels")
	}
	if f.Lookup("crop-pct") == nil {
		f.Float64Var(&in.CropPct, "crop-pct", 0, "share of the resized image's side that is kept")
	}
}

// numbers is a flag of numbers: "104,117,123".
type numbers []float64

func (n *numbers) String() string {
	var parts []string
	for _, v := range *n {
		parts = append(parts, strconv.FormatFloat(v, 'g', -1, 64))
	}
	return strings.Join(parts, ",")
}

func (n *numbers) Type() string { return "numbers" }

func (n *numbers) Set(s string) error {
	var out numbers
	for part := range strings.SplitSeq(s, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil {
			return fmt.Errorf("wanted numbers such as 104,117,123, got %q", s)
		}
		out = append(out, v)
	}
	*n = out
	return nil
}
