package zoo

import (
	"strconv"

	"github.com/cnnctl/cnnctl/graph"
)

// mobilenets has one network. It trains as torchvision's reference does: plain momentum in place of the paper's RMSprop, a rate of 0.045 for
// a batch of 256 images, scaled along with the batch, and the paper's decay of 4e-5, which is small because the network is.
var mobilenets = []model{
	{Info{Name: "mobilenet_v2", Description: "depthwise convolutions in inverted residuals, for small devices",
		Paper: "Sandler et al., MobileNetV2: inverted residuals and linear bottlenecks, arXiv:1801.04381, 2018",
		Input: graph.Shape{H: 224, W: 224, C: 3}, Classes: 1000, Defaults: photos(0.045*64/256, 4e-5)}, mobilenetV2},
}

// mobilenetV2Table is table 2 of the paper, without its first and last rows.
var mobilenetV2Table = []struct {
	t int // expansion factor
	c int // output channels
	n int // repetitions
	s int // stride of the first of them
}{
	{1, 16, 1, 1}, // 112x112
	{6, 24, 2, 2}, // 56x56
	{6, 32, 3, 2}, // 28x28
	{6, 64, 4, 2}, // 14x14
	{6, 96, 3, 1},
	{6, 160, 3, 2}, // 7x7
	{6, 320, 1, 1},
}

// mobilenetV2 is torchvision's form, tensor for tensor, with its initial values: convolutions as in He et al. (arXiv:1502.01852), the
// fully connected layer from N(0, 0.01²).
func mobilenetV2(g *graph.Graph, classes int, opt Options) {
	x := sequential(g, "features.0", g.Input(), mobileConv(conv(32, 3, 2, 1)), graph.BatchNorm{}, graph.ReLU6())
	i := 1
	for _, row := range mobilenetV2Table {
		for k := range row.n {
			stride := 1
			if k == 0 {
				stride = row.s
			}
			x = invertedResidual(g, "features."+strconv.Itoa(i), x, row.t, row.c, stride)
			i++
		}
	}
	x = sequential(g, "features."+strconv.Itoa(i), x, mobileConv(conv(1280, 1, 1, 0)), graph.BatchNorm{}, graph.ReLU6())
	x = g.Add("avgpool", graph.AdaptiveAvgPool{P: 1, Q: 1}, x)
	x = g.Add("flatten", graph.Flatten{}, x)
	sequential(g, "classifier", x,
		opt.dropout(0.2),
		graph.Linear{Out: classes, Init: graph.Normal(0.01), BiasInit: graph.Constant(0)},
	)
}

// invertedResidual is figure 4d and table 1 of the paper: a 1x1 convolution to t times the channels, a depthwise 3x3, and a 1x1
// back to a few, after which there is no ReLU6, since it would destroy what so few channels carry. An expansion by 1 is left out. The
// shortcut joins the narrow ends, where their shapes are equal.
func invertedResidual(g *graph.Graph, name string, x *graph.Node, t, channels, stride int) *graph.Node {
	wide := t * x.Out.C
	depthwise := conv(wide, 3, stride, 1)
	depthwise.Groups = wide
	convs := []graph.Conv2D{conv(wide, 1, 1, 0), depthwise}
	if t == 1 {
		convs = convs[1:]
	}
	y := x
	for i, c := range convs {
		y = sequential(g, name+".conv."+strconv.Itoa(i), y, mobileConv(c), graph.BatchNorm{}, graph.ReLU6())
	}
	y = g.Add(name+".conv."+strconv.Itoa(len(convs)), mobileConv(conv(channels, 1, 1, 0)), y)
	y = g.Add(name+".conv."+strconv.Itoa(len(convs)+1), graph.BatchNorm{}, y)
	if stride != 1 || channels != x.Out.C {
		return y
	}
	return g.Add(name+".add", graph.Add{}, y, x)
}

// mobileConv is c in front of a batch norm, whose shift takes the place of the bias.
func mobileConv(c graph.Conv2D) graph.Conv2D {
	c.NoBias, c.Init = true, graph.KaimingNormal()
	return c
}
