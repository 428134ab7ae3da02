package zoo

import (
	"fmt"
	"strconv"

	"github.com/cnnctl/cnnctl/graph"
)

const resnetPaper = "He, Zhang, Ren and Sun, Deep residual learning for image recognition, arXiv:1512.03385, 2015"

// resnetTable is table 1 of the paper: the kind of building block, and how many of them stand in conv2_x to conv5_x.
var resnetTable = []struct {
	layers int // with weights: one convolution, those of the blocks, one fully connected layer
	block  block
	blocks [4]int
}{
	{18, basic, [4]int{2, 2, 2, 2}},
	{34, basic, [4]int{3, 4, 6, 3}},
	{50, bottleneck, [4]int{3, 4, 6, 3}},
	{101, bottleneck, [4]int{3, 4, 23, 3}},
}

var resnets = resnetModels()

// resnetModels trains with a tenth of the rate for a batch of 256 images, scaled along with the batch (Goyal et al., arXiv:1706.02677),
// and with a decay of 1e-4: section 3.4 of the paper, and torchvision's reference.
func resnetModels() []model {
	var ms []model
	for _, row := range resnetTable {
		ms = append(ms, model{Info{Name: fmt.Sprintf("resnet%d", row.layers), Paper: resnetPaper,
			Description: fmt.Sprintf("%d layers with weights in residual blocks", row.layers),
			Input:       graph.Shape{H: 224, W: 224, C: 3}, Classes: 1000, Defaults: photos(0.1*64/256, 1e-4)},
			func(g *graph.Graph, classes int, _ Options) { resnet(g, row.block, row.blocks, classes) }})
	}
	return ms
}

// resnet is torchvision's form, tensor for tensor, which is known as version 1.5. Convolutions are drawn as in He et al.
// (arXiv:1502.01852), the fully connected layer as PyTorch does by default.
func resnet(g *graph.Graph, block block, blocks [4]int, classes int) {
	r := residual{g, graph.KaimingNormal(), projection}
	x := r.conv("conv1", "bn1", g.Input(), conv(64, 7, 2, 3)) // 224x224 -> 112x112
	x = g.Add("relu", graph.ReLU(), x)
	x = g.Add("maxpool", graph.MaxPool{Window: window(3, 2, 1)}, x) // 56x56
	x = r.stage("layer1", x, blocks[0], block, 64, 1)               // conv2_x
	x = r.stage("layer2", x, blocks[1], block, 128, 2)              // conv3_x, 28x28
	x = r.stage("layer3", x, blocks[2], block, 256, 2)              // conv4_x, 14x14
	x = r.stage("layer4", x, blocks[3], block, 512, 2)              // conv5_x, 7x7
	x = g.Add("avgpool", graph.AdaptiveAvgPool{P: 1, Q: 1}, x)
	x = g.Add("flatten", graph.Flatten{}, x)
	g.Add("fc", fc(classes), x)
}

// projection is option B of section 3.3: where the shape changes, a 1x1 convolution.
func projection(r residual, name string, x *graph.Node, channels, stride int) *graph.Node {
	return r.conv(name+".downsample.0", name+".downsample.1", x, conv(channels, 1, stride, 0))
}

// A block is the table of a building block's convolutions.
type block func(filters, stride int) []graph.Conv2D

// basic is figure 5, left.
func basic(filters, stride int) []graph.Conv2D {
	return []graph.Conv2D{
		conv(filters, 3, stride, 1),
		conv(filters, 3, 1, 1),
	}
}

// bottleneck is figure 5, right. The paper has the stride in the first convolution; version 1.5 has it in the second, where no pixel is
// skipped by every filter.
func bottleneck(filters, stride int) []graph.Conv2D {
	return []graph.Conv2D{
		conv(filters, 1, 1, 0),
		conv(filters, 3, stride, 1),
		conv(4*filters, 1, 1, 0),
	}
}

// residual is what all residual networks of the paper have in common.
type residual struct {
	g        *graph.Graph
	init     graph.Init                                                                     // of the convolutions
	shortcut func(r residual, name string, x *graph.Node, channels, stride int) *graph.Node // where the shape changes
}

// conv adds a convolution and a batch norm, whose shift takes the place of the bias.
func (r residual) conv(name, norm string, x *graph.Node, c graph.Conv2D) *graph.Node {
	c.NoBias, c.Init = true, r.init
	return r.g.Add(norm, graph.BatchNorm{}, r.g.Add(name, c, x))
}

// stage adds n blocks, the first of which has the stride.
func (r residual) stage(name string, x *graph.Node, n int, block block, filters, stride int) *graph.Node {
	x = r.block(name+".0", x, block(filters, stride), stride)
	for i := 1; i < n; i++ {
		x = r.block(name+"."+strconv.Itoa(i), x, block(filters, 1), 1)
	}
	return x
}

// block adds one building block: relu(F(x) + x), equation 1 of the paper, with a ReLU between the convolutions of F.
func (r residual) block(name string, x *graph.Node, convs []graph.Conv2D, stride int) *graph.Node {
	y := x
	for i, c := range convs {
		k := strconv.Itoa(i + 1)
		if i > 0 {
			y = r.g.Add(name+".relu"+strconv.Itoa(i), graph.ReLU(), y)
		}
		y = r.conv(name+".conv"+k, name+".bn"+k, y, c)
	}
	if channels := convs[len(convs)-1].Filters; channels != x.Out.C || stride != 1 {
		x = r.shortcut(r, name, x, channels, stride)
	}
	y = r.g.Add(name+".add", graph.Add{}, y, x)
	return r.g.Add(name+".relu", graph.ReLU(), y)
}
