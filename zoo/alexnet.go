package zoo

import "github.com/cnnctl/cnnctl/graph"

var alexnets = []model{
	{Info{Name: "alexnet_2012", Description: "the network of the ImageNet contest of 2012: two groups, local response normalisation",
		Paper: "Krizhevsky, Sutskever and Hinton, ImageNet classification with deep convolutional neural networks, 2012",
		Input: graph.Shape{H: 224, W: 224, C: 3}, Classes: 1000, Defaults: photos(0.01, 5e-4)}, alexnet2012},
	{Info{Name: "alexnet", Description: "one column, fewer filters, no normalisation: torchvision's AlexNet",
		Paper: "Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014",
		Input: graph.Shape{H: 224, W: 224, C: 3}, Classes: 1000, Defaults: alexnetDefaults()}, alexnet},
}

// alexnetDefaults departs from torchvision's recipe (SGD, 0.01), which is meant for ImageNet: on a small set it does not leave the plateau that
// PyTorch's small initial weights lie on. After one epoch of the embedded shapes one run each had 10 % (chance) with it and 31 % with these.
func alexnetDefaults() Defaults {
	d := photos(3e-4, 0.01)
	d.Optimizer = "adamw"
	return d
}

// alexnet is torchvision's table, tensor for tensor. Its parameters are drawn as PyTorch draws them by default.
func alexnet(g *graph.Graph, classes int, opt Options) {
	relu := graph.ReLU()
	x := sequential(g, "features", g.Input(), // 224x224x3
		conv(64, 11, 4, 2), relu, maxPool(3, 2), // 27x27x64
		conv(192, 5, 1, 2), relu, maxPool(3, 2), // 13x13x192
		conv(384, 3, 1, 1), relu,
		conv(256, 3, 1, 1), relu,
		conv(256, 3, 1, 1), relu, maxPool(3, 2), // 6x6x256
	)
	x = g.Add("avgpool", graph.AdaptiveAvgPool{P: 6, Q: 6}, x)
	x = g.Add("flatten", graph.Flatten{}, x)
	sequential(g, "classifier", x,
		opt.dropout(0.5), fc(4096), relu,
		opt.dropout(0.5), fc(4096), relu,
		fc(classes),
	)
}

// alexnet2012 is section 3 of the paper. Its two GPUs are two groups in conv2, conv4 and conv5; conv3 and the fully connected layers
// saw both. The paper's 55x55 outputs of conv1 need 227 pixels or, as here, two pixels of padding around 224.
//
// Section 5: weights are drawn from N(0, 0.01²), and biases start at 1 in conv2, conv4, conv5 and the hidden fully connected
// layers, so that their ReLUs begin with positive inputs, and at 0 in the others.
func alexnet2012(g *graph.Graph, classes int, opt Options) {
	conv := func(filters, size, stride, pad, groups int, bias float64) graph.Op {
		c := conv(filters, size, stride, pad)
		c.Groups, c.Init, c.BiasInit = groups, graph.Normal(0.01), graph.Constant(bias)
		return c
	}
	fc := func(out int, bias float64) graph.Op {
		return graph.Linear{Out: out, Init: graph.Normal(0.01), BiasInit: graph.Constant(bias)}
	}
	relu := graph.ReLU()
	lrn := graph.LRN{Size: 5, K: 2, Alpha: 1e-4, Beta: 0.75}
	x := sequential(g, "features", g.Input(), // 224x224x3
		conv(96, 11, 4, 2, 1, 0), relu, lrn, maxPool(3, 2), // 27x27x96
		conv(256, 5, 1, 2, 2, 1), relu, lrn, maxPool(3, 2), // 13x13x256
		conv(384, 3, 1, 1, 1, 0), relu,
		conv(384, 3, 1, 1, 2, 1), relu,
		conv(256, 3, 1, 1, 2, 1), relu, maxPool(3, 2), // 6x6x256
	)
	x = g.Add("flatten", graph.Flatten{}, x)
	sequential(g, "classifier", x,
		fc(4096, 1), relu, opt.dropout(0.5),
		fc(4096, 1), relu, opt.dropout(0.5),
		fc(classes, 0),
	)
}
