package checkpoint

import (
	"slices"
	"strconv"
	"strings"
)

// Models of timm (pytorch-image-models) hold torchvision's numbers under other names where the library builds the model in
// its own way. ResNets have the same names in both, and timm has no AlexNet and no SqueezeNet.

// A naming translates the names of one library's models to torchvision's.
type naming struct {
	marks   []string // tensors that only these models have together
	renamed func(name string) string
	flat    []string // tensors, by their new names, that are convolutions there and matrices in torchvision
}

var namings = []naming{
	// timm/models/vgg.py: the first fully connected layers are convolutions of the last feature map's size. Flattened,
	// their filters (O, C, H, W) are torchvision's rows, because it flattens (C, H, W) as well.
	{
		marks: []string{"features.0.weight", "pre_logits.fc1.weight", "pre_logits.fc2.weight"},
		renamed: prefixes(
			"pre_logits.fc1.", "classifier.0.",
			"pre_logits.fc2.", "classifier.3.",
			"head.fc.", "classifier.6.",
		),
		flat: []string{"classifier.0.weight", "classifier.3.weight"},
	},
	{
		marks:   []string{"conv_stem.weight", "blocks.0.0.conv_dw.weight", "blocks.6.0.conv_pwl.weight", "conv_head.weight"},
		renamed: mobileNetV2,
	},
}

// TorchvisionNames returns the checkpoint with torchvision's names, which are the engine's, if it holds a model of timm
// whose names are others, and f itself otherwise. The result shares the open file with f; closing either closes both.
func (f *File) TorchvisionNames() *File {
	i := slices.IndexFunc(namings, func(n naming) bool {
		return !slices.ContainsFunc(n.marks, func(name string) bool { _, ok := f.index[name]; return !ok })
	})
	if i < 0 {
		return f
	}
	n := namings[i]
	out := *f
	out.stored = f
	out.tensors = slices.Clone(f.tensors)
	out.index = make(map[string]int, len(f.tensors))
	for i := range out.tensors {
		t := &out.tensors[i]
		t.Name = n.renamed(t.Name)
		if slices.Contains(n.flat, t.Name) && len(t.Shape) > 2 && t.Size > 0 {
			t.Shape = []int{t.Shape[0], t.Elems() / t.Shape[0]}
		}
		out.index[t.Name] = i
	}
	if len(out.index) < len(out.tensors) { // two names became one: it is some other model after all
		return f
	}
	return &out
}

// prefixes returns a function that replaces the first prefix that a name has; pairs alternates between old and new.
func prefixes(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if rest, ok := strings.CutPrefix(name, pairs[i]); ok {
				return pairs[i+1] + rest
			}
		}
		return name
	}
}

// mobileNetV2 translates timm's blocks.STAGE.BLOCK.LAYER, of timm/models/_efficientnet_builder.py and
// efficientnet_blocks.py, to torchvision's features.N.conv.I, which counts blocks through.
func mobileNetV2(name string) string {
	outside := prefixes(
		"conv_stem.", "features.0.0.",
		"bn1.", "features.0.1.",
		"conv_head.", "features.18.0.",
		"bn2.", "features.18.1.",
		"classifier.", "classifier.1.",
	)
	parts := strings.Split(name, ".")
	if len(parts) != 5 || parts[0] != "blocks" {
		return outside(name)
	}
	first := [...]int{1, 2, 4, 7, 11, 14, 17} // of each stage; table 2 of Sandler et al. (arXiv:1801.04381)
	stage, err := strconv.Atoi(parts[1])
	if err != nil || stage < 0 || stage >= len(first) {
		return name
	}
	block, err := strconv.Atoi(parts[2])
	if err != nil || block < 0 {
		return name
	}
	layers := map[string]string{"conv_pw": "0.0", "bn1": "0.1", "conv_dw": "1.0", "bn2": "1.1", "conv_pwl": "2", "bn3": "3"}
	if stage == 0 { // not expanded: no first 1x1 convolution
		layers = map[string]string{"conv_dw": "0.0", "bn1": "0.1", "conv_pw": "1", "bn2": "2"}
	}
	layer, ok := layers[parts[3]]
	if !ok {
		return name
	}
	return "features." + strconv.Itoa(first[stage]+block) + ".conv." + layer + "." + parts[4]
}
