package zoo

import "github.com/cnnctl/cnnctl/graph"

const lenetPaper = "LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998"

var lenets = []model{
	{Info{Name: "lenet5", Paper: lenetPaper, Description: "tanh and average pooling, as in 1998",
		Input: graph.Shape{H: 28, W: 28, C: 1}, Classes: 10, Defaults: digits},
		func(g *graph.Graph, classes int, _ Options) {
			lenet5(g, classes, graph.Tanh(), avgPool(2, 2), graph.XavierUniform())
		}},
	{Info{Name: "lenet5_relu", Paper: lenetPaper, Description: "the same with ReLU and max-pooling",
		Input: graph.Shape{H: 28, W: 28, C: 1}, Classes: 10, Defaults: digits},
		func(g *graph.Graph, classes int, _ Options) {
			lenet5(g, classes, graph.ReLU(), maxPool(2, 2), graph.Init{})
		}},
}

// lenet5 is figure 2 of the paper, with what has become usual since: C3 sees all six maps of S2 (table I was drawn up to save
// work), pooling has no coefficients of its own, tanh is not stretched, and the last layer gives scores for a softmax in place of distances
// to prototypes. Layers carry the names under which the network is known in PyTorch's tutorials.
//
// The paper centres its 28x28 digits on a field of 32x32, "so that potential distinctive features can appear in the centre of the
// receptive field". For images smaller than that, conv1 therefore pads by 2, and 28x28 gives the paper's sizes from there on.
func lenet5(g *graph.Graph, classes int, act, pool graph.Op, init graph.Init) {
	const field = 32
	pad := 0
	if in := g.Input().Out; in.H < field || in.W < field {
		pad = 2
	}
	c1, c3 := conv(6, 5, 1, pad), conv(16, 5, 1, 0)
	c5, f6, output := fc(120), fc(84), fc(classes)
	c1.Init, c3.Init, c5.Init, f6.Init, output.Init = init, init, init, init, init
	stack(g, g.Input(), []row{ // 28x28 or 32x32
		{"conv1", c1}, // C1: 28x28x6
		{"act1", act},
		{"pool1", pool}, // S2: 14x14x6
		{"conv2", c3},   // C3: 10x10x16
		{"act2", act},
		{"pool2", pool}, // S4: 5x5x16
		{"flatten", graph.Flatten{}},
		{"fc1", c5}, // C5: 120; a 5x5 convolution in the paper, which is the same on 5x5 pixels
		{"act3", act},
		{"fc2", f6}, // F6: 84
		{"act4", act},
		{"fc3", output},
	})
}
