package zoo_test

import (
	"testing"

	"github.com/cnnctl/cnnctl/zoo"
)

// How torchvision and, for the CIFAR networks, the origin of their checkpoints draw weights at first.
func TestInitialisers(t *testing.T) {
	for _, c := range []struct{ model, param, want string }{
		{"resnet18", "conv1.weight", "Kaiming normal, fan-out"},
		{"resnet50", "layer2.0.downsample.0.weight", "Kaiming normal, fan-out"},
		{"resnet50", "layer1.0.bn3.weight", "constant 1"}, // not 0: zero_init_residual is off
		{"resnet50", "fc.weight", "uniform, 1/sqrt(fan-in)"},
		{"resnet50", "fc.bias", "uniform, 1/sqrt(fan-in)"},
		{"resnet20", "conv1.weight", "Kaiming normal, fan-in"},
		{"resnet56", "layer3.8.conv2.weight", "Kaiming normal, fan-in"},
		{"resnet56", "linear.weight", "Kaiming normal, fan-in"},
		{"resnet56", "linear.bias", "uniform, 1/sqrt(fan-in)"},
		{"squeezenet1_0", "features.0.weight", "Kaiming uniform, fan-in"},
		{"squeezenet1_1", "features.3.squeeze.weight", "Kaiming uniform, fan-in"},
		{"squeezenet1_1", "features.12.expand3x3.bias", "constant 0"},
		{"squeezenet1_1", "classifier.1.weight", "normal, std 0.01"},
		{"squeezenet1_1", "classifier.1.bias", "constant 0"},
		{"mobilenet_v2", "features.0.0.weight", "Kaiming normal, fan-out"},
		{"mobilenet_v2", "features.2.conv.1.0.weight", "Kaiming normal, fan-out"},
		{"mobilenet_v2", "features.17.conv.2.weight", "Kaiming normal, fan-out"},
		{"mobilenet_v2", "classifier.1.weight", "normal, std 0.01"},
		{"mobilenet_v2", "classifier.1.bias", "constant 0"},
	} {
		info, err := zoo.Lookup(c.model)
		if err != nil {
			t.Fatal(err)
		}
		g, err := zoo.Build(c.model, info.Input, info.Classes, zoo.Options{})
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, p := range g.Params() {
			if p.Name != c.param {
				continue
			}
			found = true
			if got := p.Init.String(); got != c.want {
				t.Errorf("%s draws %s as %q, want %q", c.model, c.param, got, c.want)
			}
		}
		if !found {
			t.Errorf("%s has no parameter %s", c.model, c.param)
		}
	}
}
