package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
)

// An exporter turns layers into operators, in order.
type exporter struct {
	src     Source
	opt     Options
	nodes   [][]byte // NodeProto
	tensors []tensor
	names   map[*graph.Node]string      // of the value that holds a layer's result
	norms   map[*graph.Node]*graph.Node // batch norms to be folded, by the layer before them
	consts  map[string]bool             // constants that exist
}

// add appends an operator with one result.
func (e *exporter) add(op, name string, in []string, out string, attrs ...attribute) {
	var b []byte
	for _, v := range in {
		b = appendString(b, nodeInput, v)
	}
	b = appendString(b, nodeOutput, out)
	b = appendString(b, nodeName, name)
	b = appendString(b, nodeOpType, op)
	for _, a := range attrs {
		b = appendMessage(b, nodeAttribute, a.message())
	}
	e.nodes = append(e.nodes, b)
}

// node adds the operators of a layer and notes the name of its result.
func (e *exporter) node(n *graph.Node) error {
	var in []string
	for _, x := range n.In {
		in = append(in, e.names[x])
	}
	put := func(op string, in []string, attrs ...attribute) {
		e.add(op, n.Name, in, n.Name, attrs...)
		e.names[n] = n.Name
	}
	switch op := n.Op.(type) {
	case nil:
		e.names[n] = Input
	case graph.Dropout: // only training drops anything
		e.names[n] = in[0]
	case graph.Conv2D:
		return e.conv(n, op, in)
	case graph.BatchNorm:
		if e.norms[n.In[0]] == n {
			e.names[n] = in[0]
			return nil
		}
		for _, p := range n.Params {
			in = append(in, e.weight(p))
		}
		put("BatchNormalization", in, attribute{"epsilon", op.Epsilon()})
	case graph.Linear:
		if !n.In[0].Out.Flat {
			e.add("Flatten", n.Name+".flatten", in, n.Name+".flatten", attribute{"axis", 1})
			in = []string{n.Name + ".flatten"}
		}
		tensors, err := e.product(n)
		if err != nil {
			return err
		}
		put("Gemm", append(in, tensors...), attribute{"transB", 1})
	case graph.Activation:
		return e.activation(n, op, in)
	case graph.MaxPool:
		w, p := op.Geometry(n.In[0].Out)
		put("MaxPool", in, window(w, covering(w, p))...)
	case graph.AvgPool:
		w, p := op.Geometry(n.In[0].Out)
		pads := covering(w, p)
		if op.Ceil && !op.ExcludePad && (pads.Bottom > p.Bottom || pads.Right > p.Right) {
			return fmt.Errorf("the last window reaches beyond the padding, and only the padding counts: %w", ErrUnsupported)
		}
		include := 1
		if op.ExcludePad {
			include = 0
		}
		if w.DilH != 1 || w.DilW != 1 { // came to the operator with opset 19
			return fmt.Errorf("a mean over every %dth pixel: %w", max(w.DilH, w.DilW), ErrUnsupported)
		}
		put("AveragePool", in, append(withoutDilation(window(w, pads)), attribute{"count_include_pad", include})...)
	case graph.AdaptiveAvgPool:
		e.adaptive(n, op, in)
	case graph.LRN:
		if op.Size%2 == 0 {
			return fmt.Errorf("a neighbourhood of %d channels, which ONNX centres otherwise: %w", op.Size, ErrUnsupported)
		}
		put("LRN", in, attribute{"size", op.Size}, attribute{"bias", op.K}, attribute{"alpha", op.Alpha * float32(op.Size)}, attribute{"beta", op.Beta})
	case graph.Flatten:
		put("Flatten", in, attribute{"axis", 1})
	case graph.Add:
		put("Add", in)
	case graph.Concat:
		put("Concat", in, attribute{"axis", 1})
	case graph.Softmax:
		put("Softmax", in, attribute{"axis", 1})
	case graph.PadChannels:
		pads := []int64{0, int64(op.Before), 0, 0, 0, int64(op.After), 0, 0}
		put("Pad", append(in, e.integers(n.Name+".pads", pads)))
	default:
		return fmt.Errorf("a layer of this kind: %w", ErrUnsupported)
	}
	return nil
}

// weight adds a parameter as an initialiser and returns its name.
func (e *exporter) weight(p *graph.Param) string {
	t := newTensor(p.Name, typeFloat, p.Export)
	t.values = func(emit func([]float32) error) error {
		return e.src.Float32Blocks(p.Name, block, func(_ int, part []float32) error { return emit(part) })
	}
	e.tensors = append(e.tensors, t)
	return p.Name
}

// block is how many elements are in memory at a time.
const block = 1 << 18

// floats and integers add constants.
func (e *exporter) floats(name string, dims []int, v []float32) string {
	t := newTensor(name, typeFloat, dims)
	t.values = func(emit func([]float32) error) error { return emit(v) }
	return e.constant(t)
}

func (e *exporter) integers(name string, v []int64) string {
	t := newTensor(name, typeInt64, []int{len(v)})
	for _, x := range v {
		t.raw = binary.LittleEndian.AppendUint64(t.raw, uint64(x))
	}
	return e.constant(t)
}

// constant adds a tensor unless there is one of its name.
func (e *exporter) constant(t tensor) string {
	if !e.consts[t.name] {
		if e.consts == nil {
			e.consts = make(map[string]bool)
		}
		e.consts[t.name] = true
		e.tensors = append(e.tensors, t)
	}
	return t.name
}

func (e *exporter) activation(n *graph.Node, a graph.Activation, in []string) error {
	op := map[device.Act]string{device.ReLU: "Relu", device.ReLU6: "Clip", device.Tanh: "Tanh", device.Sigmoid: "Sigmoid"}[a.Kind]
	if op == "" {
		return fmt.Errorf("an activation of this kind: %w", ErrUnsupported)
	}
	if a.Kind == device.ReLU6 {
		in = append(in, e.floats("relu6.min", nil, []float32{0}), e.floats("relu6.max", nil, []float32{6}))
	}
	e.add(op, n.Name, in, n.Name)
	e.names[n] = n.Name
	return nil
}

func (e *exporter) conv(n *graph.Node, c graph.Conv2D, in []string) error {
	w, p := c.Geometry(n.In[0].Out)
	tensors, err := e.product(n)
	if err != nil {
		return err
	}
	e.add("Conv", n.Name, append(in, tensors...), n.Name, append(window(w, p), attribute{"group", max(c.Groups, 1)})...)
	e.names[n] = n.Name
	return nil
}

// product adds the weight and the bias of a layer, with a batch norm multiplied into them if it folds, and returns their names.
func (e *exporter) product(n *graph.Node) (names []string, err error) {
	norm := e.norms[n]
	if norm == nil {
		for _, p := range n.Params {
			names = append(names, e.weight(p))
		}
		return names, nil
	}
	scale, shift, err := e.folded(n, norm)
	if err != nil {
		return nil, err
	}
	weight := n.Params[0]
	t := newTensor(weight.Name, typeFloat, weight.Export)
	t.values = func(emit func([]float32) error) error {
		perChannel := weight.Len() / len(scale)
		var out []float32
		return e.src.Float32Blocks(weight.Name, block, func(first int, part []float32) error {
			out = slices.Grow(out[:0], len(part))[:len(part)]
			for i, v := range part {
				out[i] = float32(float64(v) * scale[(first+i)/perChannel])
			}
			return emit(out)
		})
	}
	e.tensors = append(e.tensors, t)
	return []string{t.name, e.floats(n.Name+".bias", []int{len(shift)}, shift)}, nil
}

// folded returns what device.FoldBatchNorm multiplies the weights of each channel of a layer by, and the bias that it makes.
func (e *exporter) folded(n, norm *graph.Node) (scale []float64, shift []float32, err error) {
	read := func(p *graph.Param) []float32 {
		var v []float32
		if err == nil {
			err = e.src.Float32Blocks(p.Name, block, func(_ int, part []float32) error { v = append(v, part...); return nil })
		}
		return v
	}
	gamma, beta, mean, variance := read(norm.Params[0]), read(norm.Params[1]), read(norm.Params[2]), read(norm.Params[3])
	bias := make([]float32, len(gamma))
	if len(n.Params) > 1 {
		bias = read(n.Params[1])
	}
	if err != nil {
		return nil, nil, err
	}
	eps := float64(norm.Op.(graph.BatchNorm).Epsilon())
	for k := range gamma {
		s := float64(gamma[k]) / math.Sqrt(float64(variance[k])+eps)
		scale = append(scale, s)
		shift = append(shift, float32(float64(beta[k])+(float64(bias[k])-float64(mean[k]))*s))
	}
	return scale, shift, nil
}

// window writes the geometry of a convolution or pooling.
func window(w device.Window, p graph.Padding) []attribute {
	return []attribute{
		{"kernel_shape", []int{w.R, w.S}},
		{"strides", []int{w.StrideH, w.StrideW}},
		{"pads", []int{p.Top, p.Left, p.Bottom, p.Right}},
		{"dilations", []int{w.DilH, w.DilW}},
	}
}

func withoutDilation(attrs []attribute) []attribute {
	return slices.DeleteFunc(attrs, func(a attribute) bool { return a.name == "dilations" })
}

// covering extends the padding to where the last window ends. Sizes that are rounded up are written so, because readers disagree about the last
// window of ceil_mode.
func covering(w device.Window, p graph.Padding) graph.Padding {
	p.Bottom = max(p.Bottom, (w.P-1)*w.StrideH+w.DilH*(w.R-1)+1-w.H-p.Top)
	p.Right = max(p.Right, (w.Q-1)*w.StrideW+w.DilW*(w.S-1)+1-w.W-p.Left)
	return p
}

// adaptive writes adaptive pooling, which ONNX does not have, as pooling where the windows are equal, and otherwise as two products with
// matrices of shares: (P, H) from the left and (W, Q) from the right.
func (e *exporter) adaptive(n *graph.Node, a graph.AdaptiveAvgPool, in []string) {
	e.names[n] = n.Name
	s := n.In[0].Out
	switch {
	case s.H == a.P && s.W == a.Q:
		e.names[n] = in[0]
	case a.P == 1 && a.Q == 1:
		e.add("GlobalAveragePool", n.Name, in, n.Name)
	case s.H%a.P == 0 && s.W%a.Q == 0:
		size := []int{s.H / a.P, s.W / a.Q}
		e.add("AveragePool", n.Name, in, n.Name, attribute{"kernel_shape", size}, attribute{"strides", size})
	default:
		rows := e.floats(n.Name+".rows", []int{a.P, s.H}, shares(s.H, a.P, false))
		cols := e.floats(n.Name+".cols", []int{s.W, a.Q}, shares(s.W, a.Q, true))
		e.add("MatMul", n.Name+".rows", []string{rows, in[0]}, n.Name+".rows.mean")
		e.add("MatMul", n.Name, []string{n.Name + ".rows.mean", cols}, n.Name)
	}
}

// shares returns what each of n pixels counts in each of the means, (means, n) or transposed.
func shares(n, means int, transposed bool) []float32 {
	m := make([]float32, means*n)
	for p := range means {
		from, to := p*n/means, ((p+1)*n+means-1)/means
		for i := from; i < to; i++ {
			at := p*n + i
			if transposed {
				at = i*means + p
			}
			m[at] = 1 / float32(to-from)
		}
	}
	return m
}
