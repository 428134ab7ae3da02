// Package pretrained knows where the weights of the zoo's models were published, finds them on this machine or fetches them, and says what a
// checkpoint of another program expects of its images.
//
// Files are named as torchvision names them: the digits before the ending are the first of the file's SHA-256, and no file is used whose
// contents have another.
package pretrained

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/cnnctl/cnnctl/data/augment"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrNone marks a model of which no weights were published.
	ErrNone = errors.New("no published weights")
	// ErrUnavailable marks weights that are not on this machine and could not be fetched. The message says what to download by hand.
	ErrUnavailable = errors.New("the weights are not here")
)

// Weights are the published weights of a model.
type Weights struct {
	Model      string // of the zoo
	URL        string // the file's name at its end
	Classes    int
	Preprocess augment.Preprocess // what they expect of an image
}

const (
	torchvision = "https://download.pytorch.org/models/"
	// The checkpoints of Idelbayev, Proper ResNet implementation for CIFAR10/CIFAR100 in PyTorch.
	idelbayev = "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models/"
)

// table has the files of torchvision's IMAGENET1K_V1 weights, trained with the papers' recipes, and those of the CIFAR networks.
var table = slices.Concat(
	published(torchvision, 1000, ImageNet(),
		"alexnet", "alexnet-owt-7be5be79.pth",
		"vgg11", "vgg11-8a719046.pth",
		"vgg13", "vgg13-19584684.pth",
		"vgg16", "vgg16-397923af.pth",
		"vgg19", "vgg19-dcbb9e9d.pth",
		"vgg11_bn", "vgg11_bn-6002323d.pth",
		"vgg13_bn", "vgg13_bn-abd245e5.pth",
		"vgg16_bn", "vgg16_bn-6c64b313.pth",
		"vgg19_bn", "vgg19_bn-c79401a0.pth",
		"resnet18", "resnet18-f37072fd.pth",
		"resnet34", "resnet34-b627a593.pth",
		"resnet50", "resnet50-0676ba61.pth",
		"resnet101", "resnet101-63fe2227.pth",
		"squeezenet1_0", "squeezenet1_0-b66bff10.pth",
		"squeezenet1_1", "squeezenet1_1-b8a52dc0.pth",
		"mobilenet_v2", "mobilenet_v2-b0353104.pth",
	),
	published(idelbayev, 10, cifar(),
		"resnet20", "resnet20-12fca82f.th",
		"resnet32", "resnet32-d509ac18.th",
		"resnet44", "resnet44-014dd654.th",
		"resnet56", "resnet56-4bfd9763.th",
	),
)

func published(from string, classes int, input augment.Preprocess, pairs ...string) []Weights {
	var ws []Weights
	for pair := range slices.Chunk(pairs, 2) {
		ws = append(ws, Weights{Model: pair[0], URL: from + pair[1], Classes: classes, Preprocess: input})
	}
	return ws
}

// ImageNet is the preprocessing of torchvision's ImageNet weights: the short side to 256 pixels, the central 224x224 of them, and the mean and
// the deviation of the data set's colours.
func ImageNet() augment.Preprocess {
	return augment.Preprocess{Size: [2]int{224, 224}, Channels: 3, Resize: augment.ResizeCover, ResizeTo: []int{256, 256}, Crop: "center",
		Interpolation: augment.Bilinear, Mean: []float64{0.485, 0.456, 0.406}, Std: []float64{0.229, 0.224, 0.225}, Scale: 1, Order: "rgb"}
}

// cifar takes the images as they are, with ImageNet's mean and deviation, as the checkpoints were trained.
func cifar() augment.Preprocess {
	p := ImageNet()
	p.Size, p.Resize, p.ResizeTo = [2]int{32, 32}, augment.ResizeExact, []int{32, 32}
	return p
}

// Lookup returns the published weights of a model. The error wraps ErrNone.
func Lookup(model string) (Weights, error) {
	for _, w := range table {
		if w.Model == model {
			return w, nil
		}
	}
	return Weights{}, fmt.Errorf("%w of %q; there are some of %s", ErrNone, model, strings.Join(Models(), ", "))
}

// Models returns the names of the models of which weights were published.
func Models() []string {
	names := make([]string, len(table))
	for i, w := range table {
		names[i] = w.Model
	}
	return names
}

// File returns the name of the file.
func (w Weights) File() string { return path.Base(w.URL) }

var hashInName = regexp.MustCompile(`-([0-9a-f]{8,64})\.[^.]+$`)

// Hash returns the hexadecimal digits with which the SHA-256 of the file begins.
func (w Weights) Hash() string {
	m := hashInName.FindStringSubmatch(w.File())
	if m == nil {
		return ""
	}
	return m[1]
}
