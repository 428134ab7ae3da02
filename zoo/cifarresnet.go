package zoo

import (
	"fmt"

	"github.com/cnnctl/cnnctl/graph"
)

var cifarResNets = cifarResNetModels()

// cifarResNetModels has the networks of section 4.2 of the paper: 6n+2 layers with weights.
func cifarResNetModels() []model {
	var ms []model
	for _, n := range []int{3, 5, 7, 9} {
		ms = append(ms, model{Info{Name: fmt.Sprintf("resnet%d", 6*n+2), Paper: resnetPaper,
			Description: fmt.Sprintf("%d layers with weights in residual blocks, for CIFAR", 6*n+2),
			Input:       graph.Shape{H: 32, W: 32, C: 3}, Classes: 10, Defaults: cifar},
			func(g *graph.Graph, classes int, _ Options) { cifarResNet(g, n, classes) }})
	}
	return ms
}

// cifar is section 4.2: batches of 128, a rate of 0.1, a decay of 1e-4, and no label smoothing. The paper makes 64,000 steps, which are 164
// epochs of CIFAR's 50,000 images, and divides the rate by ten at the half and at three quarters. A cosine needs no such points and
// makes shorter runs useful too, so that the default is one: 30 epochs. Ask for 164 to have the paper's.
var cifar = Defaults{Epochs: 30, Batch: 128, Optimizer: "sgd", LR: 0.1, Momentum: 0.9, WeightDecay: 1e-4,
	Schedule: "cosine", WarmupEpochs: 1, ImageSize: 32}

// cifarResNet has three stages of n basic blocks, and shortcuts without parameters. Tensors are named, and weights are drawn (the fully connected
// layer's as well), as in the implementation whose checkpoints are in circulation: Idelbayev, Proper ResNet implementation for
// CIFAR10/CIFAR100 in PyTorch.
func cifarResNet(g *graph.Graph, n, classes int) {
	r := residual{g, graph.KaimingNormalFanIn(), zeroPadding}
	x := r.conv("conv1", "bn1", g.Input(), conv(16, 3, 1, 1))
	x = g.Add("relu", graph.ReLU(), x)
	x = r.stage("layer1", x, n, basic, 16, 1) // 32x32
	x = r.stage("layer2", x, n, basic, 32, 2) // 16x16
	x = r.stage("layer3", x, n, basic, 64, 2) // 8x8
	x = g.Add("avgpool", graph.AdaptiveAvgPool{P: 1, Q: 1}, x)
	x = g.Add("flatten", graph.Flatten{}, x)
	g.Add("linear", graph.Linear{Out: classes, Init: graph.KaimingNormalFanIn()}, x)
}

// zeroPadding is option A of section 3.3: every stride-th pixel, and zeros for the channels that the input does not have. The paper leaves
// open where they go; here, as in the checkpoints, half of them go before and half after.
func zeroPadding(r residual, name string, x *graph.Node, channels, stride int) *graph.Node {
	more := channels - x.Out.C
	x = r.g.Add(name+".shortcut.subsample", avgPool(1, stride), x) // the mean of one pixel
	return r.g.Add(name+".shortcut.pad", graph.PadChannels{Before: more / 2, After: more - more/2}, x)
}
