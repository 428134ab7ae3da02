package zoo

import (
	"strconv"

	"github.com/cnnctl/cnnctl/graph"
)

// fire is a fire module: figure 1 of the paper.
type fire struct {
	squeeze int // 1x1 filters in front (s1x1)
	expand  int // 1x1 filters, and as many 3x3 filters, behind them (e1x1 and e3x3)
}

// squeezenetTable is table 1 of the paper, and its revision. A max-pooling stands before each row of modules.
var squeezenetTable = []struct {
	name, what string
	conv1      graph.Conv2D
	fires      [3][]fire
}{
	{"squeezenet1_0", "fire modules: AlexNet's accuracy with a fiftieth of its weights", conv(96, 7, 2, 0), [3][]fire{
		{{16, 64}, {16, 64}, {32, 128}},
		{{32, 128}, {48, 192}, {48, 192}, {64, 256}},
		{{64, 256}},
	}},
	{"squeezenet1_1", "the same accuracy for less work: a smaller first layer and earlier pooling", conv(64, 3, 2, 0), [3][]fire{
		{{16, 64}, {16, 64}},
		{{32, 128}, {32, 128}},
		{{48, 192}, {48, 192}, {64, 256}, {64, 256}},
	}},
}

var squeezenets = squeezenetModels()

// squeezenetModels trains with the rate of 0.04 for a batch of 512 images, scaled along with the batch, and the decay of 2e-4 of the authors'
// published solver.
func squeezenetModels() []model {
	var ms []model
	for _, row := range squeezenetTable {
		ms = append(ms, model{Info{Name: row.name, Description: row.what,
			Paper: "Iandola et al., SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size, arXiv:1602.07360, 2016",
			Input: graph.Shape{H: 224, W: 224, C: 3}, Classes: 1000, Defaults: photos(0.04*64/512, 2e-4)},
			func(g *graph.Graph, classes int, opt Options) { squeezenet(g, row.conv1, row.fires, classes, opt) }})
	}
	return ms
}

// squeezenet is torchvision's form, tensor for tensor. Each class has its own map of scores, a 1x1 convolution, whose mean after a ReLU
// is the score of the image. Weights are drawn from Kaiming's uniform distribution, those of the scores from N(0, 0.01²); biases start at 0.
func squeezenet(g *graph.Graph, conv1 graph.Conv2D, fires [3][]fire, classes int, opt Options) {
	relu := graph.ReLU()
	pool := graph.MaxPool{Window: window(3, 2, 0)}
	pool.Ceil = true
	layers := 0
	next := func() string {
		layers++
		return "features." + strconv.Itoa(layers-1)
	}
	x := g.Add(next(), fireConv(conv1), g.Input())
	x = g.Add(next(), relu, x)
	for _, row := range fires {
		x = g.Add(next(), pool, x)
		for _, f := range row {
			x = f.add(g, next(), x)
		}
	}
	scores := conv(classes, 1, 1, 0)
	scores.Init, scores.BiasInit = graph.Normal(0.01), graph.Constant(0)
	x = sequential(g, "classifier", x, opt.dropout(0.5), scores, relu, graph.AdaptiveAvgPool{P: 1, Q: 1})
	g.Add("flatten", graph.Flatten{}, x)
}

// add adds the module to g.
func (f fire) add(g *graph.Graph, name string, x *graph.Node) *graph.Node {
	unit := func(unit string, c graph.Conv2D, x *graph.Node) *graph.Node {
		x = g.Add(name+"."+unit, fireConv(c), x)
		return g.Add(name+"."+unit+"_activation", graph.ReLU(), x)
	}
	x = unit("squeeze", conv(f.squeeze, 1, 1, 0), x)
	return g.Add(name+".concat", graph.Concat{},
		unit("expand1x1", conv(f.expand, 1, 1, 0), x),
		unit("expand3x3", conv(f.expand, 3, 1, 1), x))
}

// fireConv is c with the initial values of all convolutions but the last.
func fireConv(c graph.Conv2D) graph.Conv2D {
	c.Init, c.BiasInit = graph.KaimingUniform(), graph.Constant(0)
	return c
}
