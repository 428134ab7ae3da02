package zoo

import (
	"fmt"

	"github.com/cnnctl/cnnctl/graph"
)

// vggTable is table 1 of the paper, columns A, B, D and E: the filters of the 3x3 convolutions of each block. A 2x2 max-pooling follows on
// every block.
var vggTable = []struct {
	layers int // with weights: these convolutions and three fully connected layers
	blocks [5][]int
}{
	{11, [5][]int{{64}, {128}, {256, 256}, {512, 512}, {512, 512}}},
	{13, [5][]int{{64, 64}, {128, 128}, {256, 256}, {512, 512}, {512, 512}}},
	{16, [5][]int{{64, 64}, {128, 128}, {256, 256, 256}, {512, 512, 512}, {512, 512, 512}}},
	{19, [5][]int{{64, 64}, {128, 128}, {256, 256, 256, 256}, {512, 512, 512, 512}, {512, 512, 512, 512}}},
}

var vggs = vggModels()

func vggModels() []model {
	var ms []model
	for _, batchNorm := range []bool{false, true} {
		for _, column := range vggTable {
			m := model{Info{Name: fmt.Sprintf("vgg%d", column.layers),
				Paper:       "Simonyan and Zisserman, Very deep convolutional networks for large-scale image recognition, arXiv:1409.1556, 2014",
				Description: fmt.Sprintf("%d layers with weights, all convolutions 3x3", column.layers),
				Input:       graph.Shape{H: 224, W: 224, C: 3}, Classes: 1000, Defaults: photos(0.01, 5e-4)},
				func(g *graph.Graph, classes int, opt Options) { vgg(g, column.blocks, batchNorm, classes, opt) }}
			if batchNorm {
				m.Name += "_bn"
				m.Description += ", each followed by batch norm"
			}
			ms = append(ms, m)
		}
	}
	return ms
}

// vgg is torchvision's form, tensor for tensor: convolutions keep their bias in front of a batch norm too. Convolutions are drawn as in He
// et al. (arXiv:1502.01852), fully connected layers from N(0, 0.01²), and biases start at 0.
func vgg(g *graph.Graph, blocks [5][]int, batchNorm bool, classes int, opt Options) {
	relu := graph.ReLU()
	zero := graph.Constant(0)
	var features []graph.Op
	for _, block := range blocks {
		for _, filters := range block {
			c := conv(filters, 3, 1, 1)
			c.Init, c.BiasInit = graph.KaimingNormal(), zero
			features = append(features, c)
			if batchNorm {
				features = append(features, graph.BatchNorm{})
			}
			features = append(features, relu)
		}
		features = append(features, maxPool(2, 2))
	}
	fc := func(out int) graph.Op {
		return graph.Linear{Out: out, Init: graph.Normal(0.01), BiasInit: zero}
	}
	x := sequential(g, "features", g.Input(), features...)
	x = g.Add("avgpool", graph.AdaptiveAvgPool{P: 7, Q: 7}, x)
	x = g.Add("flatten", graph.Flatten{}, x)
	sequential(g, "classifier", x,
		fc(4096), relu, opt.dropout(0.5),
		fc(4096), relu, opt.dropout(0.5),
		fc(classes),
	)
}
