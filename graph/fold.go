package graph

import "github.com/cnnctl/cnnctl/device"

// In evaluation the statistics of a batch norm are constants, and so is the line y = s·x + t that it makes of them for each channel. The layer
// before it, if that is a product, computes the same with s in its weights and t in its bias.

// multiplies reports whether op is a product: its first parameter is a weight whose first axis are the channels of the output, its second, if there is
// one, a bias.
func multiplies(op Op) bool {
	switch op.(type) {
	case Conv2D, Linear:
		return true
	}
	return false
}

// Folds reports whether n is a batch norm that alone reads a convolution or a fully connected layer, so that it can be multiplied into the weights of
// that layer where its statistics are constants.
func (n *Node) Folds() bool {
	_, ok := n.Op.(BatchNorm)
	return ok && multiplies(n.In[0].Op) && n.In[0].uses == 1
}

// Product returns the weight of n, a convolution or a fully connected layer, as its call multiplies with it, and what the call does to the products:
// it adds n's bias and does whatever of the layers behind n was fused into it.
func (e *Emit) Product(n *Node) (weight device.Mem, then device.Epilogue) {
	then.Act, then.Residual = e.Act(n), e.Residual(n)
	if len(n.Params) > 1 {
		then.Bias = e.Param(n, 1)
	}
	norm := e.folded[n.index]
	if norm == nil {
		return e.Weight(n, 0), then
	}
	p := n.Params[0]
	c := p.Dims[0]
	f := device.FoldBatchNorm{C: c, Len: p.Len() / c, Eps: norm.Op.(BatchNorm).Epsilon(), Type: e.Type(), Weight: e.Param(n, 0), Bias: then.Bias,
		Gamma: e.Param(norm, bnGamma), Beta: e.Param(norm, bnBeta), RunMean: e.Param(norm, bnMean), RunVar: e.Param(norm, bnVar),
		FoldedWeight: e.useOf(e.Type(), bufKey{bufFolded, n.index, 0}, p.Len()), FoldedBias: e.use(bufKey{bufFolded, n.index, 1}, c)}
	e.Derive(f)
	then.Bias = f.FoldedBias
	return f.FoldedWeight, then
}
