package zoo

import (
	"strconv"

	"github.com/cnnctl/cnnctl/graph"
)

// A row is one line of a model's table.
type row struct {
	name string
	op   graph.Op
}

// stack adds rows one after the other, each reading the one before it.
func stack(g *graph.Graph, x *graph.Node, rows []row) *graph.Node {
	for _, r := range rows {
		x = g.Add(r.name, r.op, x)
	}
	return x
}

// sequential adds layers named by their position, as PyTorch's nn.Sequential does: "features.0", "features.1", ...
func sequential(g *graph.Graph, name string, x *graph.Node, ops ...graph.Op) *graph.Node {
	for i, op := range ops {
		x = g.Add(name+"."+strconv.Itoa(i), op, x)
	}
	return x
}

// The vocabulary of the tables. Sizes, strides and paddings are equal along both axes.

func conv(filters, size, stride, pad int) graph.Conv2D {
	return graph.Conv2D{Filters: filters, Window: window(size, stride, pad)}
}

func maxPool(size, stride int) graph.Op { return graph.MaxPool{Window: window(size, stride, 0)} }

func avgPool(size, stride int) graph.Op { return graph.AvgPool{Window: window(size, stride, 0)} }

func fc(out int) graph.Linear { return graph.Linear{Out: out} }

func window(size, stride, pad int) graph.Window {
	return graph.Window{Size: [2]int{size}, Stride: [2]int{stride}, Pad: graph.Pad(pad)}
}
