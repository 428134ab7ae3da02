package zoo_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/zoo"
)

// The counts of the papers and of torchvision's documentation; Caffe's for AlexNet with two groups.
func TestParameterCounts(t *testing.T) {
	want := map[string]int{
		"lenet5": 61_706, "lenet5_relu": 61_706,
		"alexnet": 61_100_840, "alexnet_2012": 60_965_224,
		"vgg11": 132_863_336, "vgg13": 133_047_848, "vgg16": 138_357_544, "vgg19": 143_667_240,
		"vgg11_bn": 132_868_840, "vgg13_bn": 133_053_736, "vgg16_bn": 138_365_992, "vgg19_bn": 143_678_248,
		"resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032, "resnet101": 44_549_160,
		"resnet20": 269_722, "resnet32": 464_154, "resnet44": 658_586, "resnet56": 853_018,
		"squeezenet1_0": 1_248_424, "squeezenet1_1": 1_235_496, "mobilenet_v2": 3_504_872,
	}
	for _, m := range zoo.Models() {
		if m.Params != want[m.Name] {
			t.Errorf("%s has %d parameters, want %d", m.Name, m.Params, want[m.Name])
		}
		delete(want, m.Name)
	}
	for name := range want {
		t.Errorf("%s is missing", name)
	}
}

// The sizes that the papers print beside their figures and tables.
func TestOutputShapes(t *testing.T) {
	for _, c := range []struct {
		model string
		in    graph.Shape
		layer string
		want  string
	}{
		{"lenet5", graph.Shape{H: 28, W: 28, C: 1}, "conv1", "28x28x6"},
		{"lenet5", graph.Shape{H: 32, W: 32, C: 1}, "conv1", "28x28x6"},
		{"lenet5", graph.Shape{H: 32, W: 32, C: 3}, "pool2", "5x5x16"},
		{"lenet5", graph.Shape{H: 28, W: 28, C: 1}, "flatten", "400"},
		{"alexnet", graph.Shape{H: 224, W: 224, C: 3}, "features.0", "55x55x64"},
		{"alexnet", graph.Shape{H: 224, W: 224, C: 3}, "features.12", "6x6x256"},
		{"alexnet", graph.Shape{H: 64, W: 64, C: 3}, "features.12", "1x1x256"},
		{"alexnet", graph.Shape{H: 64, W: 64, C: 3}, "avgpool", "6x6x256"},
		{"alexnet_2012", graph.Shape{H: 224, W: 224, C: 3}, "features.0", "55x55x96"},
		{"alexnet_2012", graph.Shape{H: 224, W: 224, C: 3}, "features.14", "6x6x256"},
		{"vgg16", graph.Shape{H: 224, W: 224, C: 3}, "features.30", "7x7x512"},
		{"vgg16", graph.Shape{H: 32, W: 48, C: 3}, "features.30", "1x1x512"},
		{"vgg19_bn", graph.Shape{H: 224, W: 224, C: 3}, "features.52", "7x7x512"},
		{"vgg19_bn", graph.Shape{H: 224, W: 224, C: 3}, "classifier.6", "5"},
		{"resnet34", graph.Shape{H: 224, W: 224, C: 3}, "maxpool", "56x56x64"},
		{"resnet34", graph.Shape{H: 224, W: 224, C: 3}, "layer4.2.relu", "7x7x512"},
		{"resnet101", graph.Shape{H: 224, W: 224, C: 3}, "layer3.0.conv1", "28x28x256"}, // version 1.5: the stride comes after it
		{"resnet101", graph.Shape{H: 224, W: 224, C: 3}, "layer3.22.relu", "14x14x1024"},
		{"resnet56", graph.Shape{H: 32, W: 32, C: 3}, "layer2.0.shortcut.pad", "16x16x32"},
		{"resnet56", graph.Shape{H: 33, W: 28, C: 3}, "layer3.8.relu", "9x7x64"},
		{"squeezenet1_0", graph.Shape{H: 224, W: 224, C: 3}, "features.2", "54x54x96"}, // 55x55 in the paper, from a padded conv1
		{"squeezenet1_0", graph.Shape{H: 227, W: 227, C: 3}, "features.11", "13x13x512"},
		{"squeezenet1_1", graph.Shape{H: 224, W: 224, C: 3}, "features.8", "13x13x256"},
		{"mobilenet_v2", graph.Shape{H: 224, W: 224, C: 3}, "features.18.2", "7x7x1280"},
	} {
		g, err := zoo.Build(c.model, c.in, 5, zoo.Options{})
		if err != nil {
			t.Errorf("%s on %v: %v", c.model, c.in, err)
			continue
		}
		i := slices.IndexFunc(g.Nodes(), func(n *graph.Node) bool { return n.Name == c.layer })
		if i < 0 {
			t.Errorf("%s has no layer %s", c.model, c.layer)
		} else if got := g.Nodes()[i].Out.String(); got != c.want {
			t.Errorf("%s on %v: %s gives %s, want %s", c.model, c.in, c.layer, got, c.want)
		}
		if got := g.Output().Out; got.Size() != 5 || !got.Flat {
			t.Errorf("%s ends in %v, want a vector of 5", c.model, got)
		}
	}
}

// The smallest size is claimed to fit, and one less not to.
func TestSmallestSize(t *testing.T) {
	want := map[string]int{"lenet5": 12, "lenet5_relu": 12, "alexnet": 63, "alexnet_2012": 63, "squeezenet1_0": 21, "squeezenet1_1": 17,
		"mobilenet_v2": 1}
	for _, m := range zoo.Models() {
		t.Run(m.Name, func(t *testing.T) {
			n, err := zoo.SmallestSize(m.Name, 3)
			if err != nil {
				t.Fatal(err)
			}
			w := want[m.Name]
			if strings.HasPrefix(m.Name, "vgg") {
				w = 32 // five halvings
			}
			if strings.HasPrefix(m.Name, "resnet") {
				w = 1 // padding is everywhere, and the last average is over whatever is left
			}
			if n != w {
				t.Errorf("smallest size %d, want %d", n, w)
			}
			if _, err := zoo.Build(m.Name, graph.Shape{H: n, W: n, C: 3}, 10, zoo.Options{}); err != nil {
				t.Errorf("the smallest size does not fit: %v", err)
			}
			if n == 1 {
				return
			}
			_, err = zoo.Build(m.Name, graph.Shape{H: n - 1, W: 2 * n, C: 3}, 10, zoo.Options{})
			if !errors.Is(err, graph.ErrShape) || !strings.Contains(err.Error(), fmt.Sprintf("%dx%d: ask", n, n)) {
				t.Errorf("images of %dx%d: error %q, want one that names %d", n-1, 2*n, err, n)
			}
		})
	}
}

func TestBadRequests(t *testing.T) {
	in := graph.Shape{H: 224, W: 224, C: 3}
	p := 1.0
	for _, c := range []struct {
		name    string
		in      graph.Shape
		classes int
		opt     zoo.Options
		want    string
	}{
		{"vgg61", in, 10, zoo.Options{}, "did you mean vgg11, vgg13, vgg16, vgg19?"},
		{"VGG-16", in, 10, zoo.Options{}, "did you mean vgg16?"},
		{"vgg16bn", in, 10, zoo.Options{}, "did you mean vgg16_bn?"},
		{"alexnet2012", in, 10, zoo.Options{}, "did you mean alexnet_2012?"},
		{"lenet", in, 10, zoo.Options{}, "did you mean lenet5"},
		{"transformer", in, 10, zoo.Options{}, "there are lenet5"},
		{"", in, 10, zoo.Options{}, "there are lenet5"},
		{"vgg16", in, 0, zoo.Options{}, "0 classes"},
		{"vgg16", graph.Shape{H: 224, W: 224}, 10, zoo.Options{}, "wanted positive sizes"},
		{"vgg16", graph.Shape{H: 1 << 40, W: 224, C: 3}, 10, zoo.Options{}, "does not fit"},
		{"vgg16", in, 10, zoo.Options{Dropout: &p}, "dropout 1"},
	} {
		_, err := zoo.Build(c.name, c.in, c.classes, c.opt)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Build(%q, %v, %d): error %v, want one that says %q", c.name, c.in, c.classes, err, c.want)
		}
	}
	if _, err := zoo.Lookup("resnet"); !errors.Is(err, zoo.ErrUnknown) {
		t.Errorf("Lookup of an unknown model: %v", err)
	}
}

func TestDropoutOverride(t *testing.T) {
	for _, want := range []float64{0, 0.25} {
		g, err := zoo.Build("alexnet", graph.Shape{H: 64, W: 64, C: 3}, 10, zoo.Options{Dropout: &want})
		if err != nil {
			t.Fatal(err)
		}
		layers := 0
		for _, n := range g.Nodes() {
			if d, ok := n.Op.(graph.Dropout); ok {
				layers++
				if float64(d.P) != want {
					t.Errorf("%s drops %v, want %v", n.Name, d.P, want)
				}
			}
		}
		if layers != 2 {
			t.Errorf("%d dropout layers, want 2", layers)
		}
	}
}
