package onnx_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/cpu"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/onnx"
	"github.com/cnnctl/cnnctl/philox"
	"google.golang.org/protobuf/encoding/protowire"
)

// lively is a Source whose numbers depend on the tensor's name and are good for every kind of parameter, given their counts.
type lively map[string]int

func sourceOf(g *graph.Graph) lively {
	s := lively{}
	for _, p := range g.Params() {
		s[p.Name] = p.Len()
	}
	return s
}

func (s lively) all(name string) []float32 {
	r := philox.New(1, philox.Test, len(name), int(name[len(name)-1]))
	v := make([]float32, s[name])
	for i := range v {
		v[i] = float32(r.Uint32())/math.MaxUint32 - 0.5
		if strings.HasSuffix(name, "running_var") {
			v[i] += 1
		}
	}
	return v
}

func (s lively) Float32Blocks(name string, block int, fn func(int, []float32) error) error {
	if _, ok := s[name]; !ok {
		return fmt.Errorf("no tensor %q", name)
	}
	first := 0
	for part := range slices.Chunk(s.all(name), min(block, 7)) {
		if err := fn(first, part); err != nil {
			return err
		}
		first += len(part)
	}
	return nil
}

// An operator as it is read back.
type operator struct {
	op, name string
	in, out  []string
	attrs    string // "axis=1 pads=[0 0 1 1]"
}

// A model as it is read back.
type model struct {
	producer, opset string
	meta            map[string]string
	ops             []operator
	weights         map[string][]float32
	dims            map[string][]uint64
	input, output   []byte
}

// fields calls fn for each field of a message.
func fields(t *testing.T, b []byte, fn func(num protowire.Number, v uint64, b []byte)) {
	t.Helper()
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal("a damaged tag")
		}
		b = b[n:]
		switch typ {
		case protowire.VarintType:
			v, n := protowire.ConsumeVarint(b)
			fn(num, v, nil)
			b = b[n:]
		case protowire.Fixed32Type:
			v, n := protowire.ConsumeFixed32(b)
			fn(num, uint64(v), nil)
			b = b[n:]
		case protowire.BytesType:
			v, n := protowire.ConsumeBytes(b)
			if n < 0 {
				t.Fatalf("field %d ends too early", num)
			}
			fn(num, 0, v)
			b = b[n:]
		default:
			t.Fatalf("field %d of type %d", num, typ)
		}
	}
}

func read(t *testing.T, file []byte) model {
	t.Helper()
	m := model{meta: map[string]string{}, weights: map[string][]float32{}, dims: map[string][]uint64{}}
	fields(t, file, func(num protowire.Number, v uint64, b []byte) {
		switch num {
		case 1:
			m.opset = fmt.Sprint("ir ", v)
		case 2:
			m.producer = string(b)
		case 8:
			fields(t, b, func(num protowire.Number, v uint64, _ []byte) { m.opset += fmt.Sprint(" opset ", v) })
		case 14:
			var pair []string
			fields(t, b, func(_ protowire.Number, _ uint64, b []byte) { pair = append(pair, string(b)) })
			m.meta[pair[0]] = pair[1]
		case 7:
			fields(t, b, func(num protowire.Number, _ uint64, b []byte) {
				switch num {
				case 1:
					m.ops = append(m.ops, readOperator(t, b))
				case 5:
					m.readTensor(t, b)
				case 11:
					m.input = b
				case 12:
					m.output = b
				}
			})
		}
	})
	return m
}

func readOperator(t *testing.T, b []byte) (o operator) {
	fields(t, b, func(num protowire.Number, _ uint64, b []byte) {
		switch num {
		case 1:
			o.in = append(o.in, string(b))
		case 2:
			o.out = append(o.out, string(b))
		case 3:
			o.name = string(b)
		case 4:
			o.op = string(b)
		case 5:
			name, text, ints := "", "", []int64(nil)
			fields(t, b, func(num protowire.Number, v uint64, b []byte) {
				switch num {
				case 1:
					name = string(b)
				case 2:
					text = fmt.Sprint(math.Float32frombits(uint32(v)))
				case 3:
					text = fmt.Sprint(int64(v))
				case 8:
					ints = append(ints, int64(v))
				}
			})
			if ints != nil {
				text = fmt.Sprint(ints)
			}
			o.attrs += " " + name + "=" + text
		}
	})
	o.attrs = strings.TrimSpace(o.attrs)
	return o
}

func (m *model) readTensor(t *testing.T, b []byte) {
	var name string
	var dims []uint64
	var raw []byte
	n, typ := 1, uint64(0)
	fields(t, b, func(num protowire.Number, v uint64, b []byte) {
		switch num {
		case 1:
			dims = append(dims, v)
			n *= int(v)
		case 2:
			typ = v
		case 8:
			name = string(b)
		case 9:
			raw = b
		}
	})
	if _, twice := m.dims[name]; twice {
		t.Errorf("two tensors %s", name)
	}
	m.dims[name] = dims
	width := map[uint64]int{1: 4, 7: 8}[typ]
	if len(raw) != n*width {
		t.Fatalf("%s: %d bytes for %v of type %d", name, len(raw), dims, typ)
	}
	for i := range n {
		if typ == 7 {
			m.weights[name] = append(m.weights[name], float32(int64(binary.LittleEndian.Uint64(raw[8*i:]))))
		} else {
			m.weights[name] = append(m.weights[name], math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
		}
	}
}

func export(t *testing.T, g *graph.Graph, opt onnx.Options) model {
	t.Helper()
	var file bytes.Buffer
	if err := onnx.Write(&file, g, sourceOf(g), opt); err != nil {
		t.Fatal(err)
	}
	m := read(t, file.Bytes())
	// Every value is made once and before it is read.
	made := map[string]bool{onnx.Input: true}
	for name := range m.dims {
		made[name] = true
	}
	for _, o := range m.ops {
		for _, in := range o.in {
			if !made[in] {
				t.Errorf("%s reads %s, which is not there yet", o.name, in)
			}
		}
		for _, out := range o.out {
			if made[out] {
				t.Errorf("%s makes %s again", o.name, out)
			}
			made[out] = true
		}
	}
	if !made[onnx.Output] {
		t.Error("nothing makes the output")
	}
	return m
}

// Each layer becomes the operator that it should, with every attribute. What runtimes make of them is compared by scripts/check-onnx.py.
func TestOperators(t *testing.T) {
	relu, win := graph.ReLU(), func(size, stride int, pad graph.Padding) graph.Window {
		return graph.Window{Size: [2]int{size}, Stride: [2]int{stride}, Pad: pad}
	}
	ceil := win(3, 2, graph.Valid())
	ceil.Ceil = true
	wide := graph.Window{Size: [2]int{3, 5}, Stride: [2]int{2, 1}, Dilation: [2]int{2, 3}, Pad: graph.PadSides(1, 2, 3, 4)}
	for _, c := range []struct {
		op   graph.Op
		want []string // "Op(inputs) attributes"
	}{
		{graph.Conv2D{Filters: 4, Window: wide, Groups: 2}, []string{"Conv(input x.weight x.bias) kernel_shape=[3 5] strides=[2 1] pads=[1 2 3 4] dilations=[2 3] group=2"}},
		{graph.Conv2D{Filters: 4, Window: win(3, 2, graph.Same()), NoBias: true}, []string{"Conv(input x.weight) kernel_shape=[3 3] strides=[2 2] pads=[0 1 1 1] dilations=[1 1] group=1"}},
		{graph.BatchNorm{Eps: 0.5}, []string{"BatchNormalization(input x.weight x.bias x.running_mean x.running_var) epsilon=0.5"}},
		{graph.Linear{Out: 3}, []string{"Flatten(input) axis=1", "Gemm(x.flatten x.weight x.bias) transB=1"}},
		{relu, []string{"Relu(input)"}},
		{graph.ReLU6(), []string{"Clip(input relu6.min relu6.max)"}},
		{graph.Tanh(), []string{"Tanh(input)"}},
		{graph.Sigmoid(), []string{"Sigmoid(input)"}},
		{graph.MaxPool{Window: win(3, 2, graph.Pad(1))}, []string{"MaxPool(input) kernel_shape=[3 3] strides=[2 2] pads=[1 1 1 1] dilations=[1 1]"}},
		{graph.MaxPool{Window: ceil}, []string{"MaxPool(input) kernel_shape=[3 3] strides=[2 2] pads=[0 0 1 0] dilations=[1 1]"}},
		{graph.AvgPool{Window: win(2, 0, graph.Valid())}, []string{"AveragePool(input) kernel_shape=[2 2] strides=[2 2] pads=[0 0 0 0] count_include_pad=1"}},
		{graph.AvgPool{Window: ceil, ExcludePad: true}, []string{"AveragePool(input) kernel_shape=[3 3] strides=[2 2] pads=[0 0 1 0] count_include_pad=0"}},
		{graph.AdaptiveAvgPool{P: 1, Q: 1}, []string{"GlobalAveragePool(input)"}},
		{graph.AdaptiveAvgPool{P: 4, Q: 3}, []string{"AveragePool(input) kernel_shape=[2 3] strides=[2 3]"}},
		{graph.AdaptiveAvgPool{P: 8, Q: 9}, nil},
		{graph.AdaptiveAvgPool{P: 3, Q: 2}, []string{"MatMul(x.rows input)", "MatMul(x.rows.mean x.cols)"}},
		{graph.LRN{Size: 5, K: 2, Alpha: 0.25, Beta: 0.75}, []string{"LRN(input) size=5 bias=2 alpha=1.25 beta=0.75"}},
		{graph.Flatten{}, []string{"Flatten(input) axis=1"}},
		{graph.Dropout{P: 0.5}, nil},
		{graph.Softmax{}, []string{"Softmax(input) axis=1"}},
		{graph.PadChannels{Before: 1, After: 3}, []string{"Pad(input x.pads)"}},
	} {
		t.Run(fmt.Sprint(c.op), func(t *testing.T) {
			g := graph.New(graph.Shape{H: 8, W: 9, C: 4})
			g.Add("x", c.op, g.Input())
			if err := g.Err(); err != nil {
				t.Fatal(err)
			}
			m := export(t, g, onnx.Options{})
			var got []string
			for _, o := range m.ops[:len(m.ops)-1] {
				got = append(got, strings.TrimSpace(fmt.Sprintf("%s(%s) %s", o.op, strings.Join(o.in, " "), o.attrs)))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
	even := graph.AvgPool{Window: ceil}
	for _, op := range []graph.Op{graph.LRN{Size: 4, K: 1, Alpha: 1, Beta: 1}, even} {
		g := graph.New(graph.Shape{H: 8, W: 9, C: 4})
		g.Add("x", op, g.Input())
		if err := onnx.Write(io.Discard, g, sourceOf(g), onnx.Options{}); !errors.Is(err, onnx.ErrUnsupported) || !strings.Contains(err.Error(), "layer x") {
			t.Errorf("%v: got %v, want ErrUnsupported with the layer", op, err)
		}
	}
}

// Uneven adaptive pooling is two products with these matrices, of which each row sums to one.
func TestShares(t *testing.T) {
	g := graph.New(graph.Shape{H: 7, W: 1, C: 1})
	g.Add("x", graph.AdaptiveAvgPool{P: 3, Q: 2}, g.Input())
	m := export(t, g, onnx.Options{})
	third := float32(1) / 3
	want := []float32{third, third, third, 0, 0, 0, 0, 0, 0, third, third, third, 0, 0, 0, 0, 0, 0, third, third, third}
	want[2*7+4] = third
	if !slices.Equal(m.weights["x.rows"], want) || !slices.Equal(m.weights["x.cols"], []float32{1, 1}) {
		t.Errorf("got %v and %v, want %v and ones", m.weights["x.rows"], m.weights["x.cols"], want)
	}
}

func TestFile(t *testing.T) {
	g := graph.New(graph.Shape{H: 4, W: 5, C: 3})
	x := g.Add("conv", graph.Conv2D{Filters: 2, Window: graph.Window{Size: [2]int{3}}}, g.Input())
	x = g.Add("flatten", graph.Flatten{}, x)
	g.Add("fc", graph.Linear{Out: 10}, x)
	m := export(t, g, onnx.Options{Name: "net", Metadata: map[string]string{"b": "2", "a": "1"}})
	if m.producer != "cnnctl" || m.opset != "ir 8 opset 17" || len(m.meta) != 2 || m.meta["a"] != "1" || m.meta["b"] != "2" {
		t.Errorf("got %s, %s, %v", m.producer, m.opset, m.meta)
	}
	for _, c := range []struct {
		info []byte
		want string
	}{{m.input, "input N 3 4 5"}, {m.output, "logits N 10"}} {
		var got []string
		inside := func(want protowire.Number, fn func(b []byte)) func(protowire.Number, uint64, []byte) {
			return func(num protowire.Number, v uint64, b []byte) {
				if num == want {
					fn(b)
				}
			}
		}
		fields(t, c.info, inside(1, func(b []byte) { got = append(got, string(b)) }))
		fields(t, c.info, inside(2, func(b []byte) { // type
			fields(t, b, inside(1, func(b []byte) { // tensor
				fields(t, b, inside(2, func(b []byte) { // shape
					fields(t, b, inside(1, func(b []byte) { // dimension
						fields(t, b, func(num protowire.Number, v uint64, b []byte) {
							if num == 1 {
								b = fmt.Append(nil, v)
							}
							got = append(got, string(b))
						})
					}))
				}))
			}))
		}))
		if strings.Join(got, " ") != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	src := sourceOf(g)
	for _, p := range g.Params() {
		if fmt.Sprint(m.dims[p.Name]) != fmt.Sprint(p.Export) || !slices.Equal(m.weights[p.Name], src.all(p.Name)) {
			t.Errorf("%s: %v, or other numbers", p.Name, m.dims[p.Name])
		}
	}
	delete(src, "fc.bias")
	if err := onnx.Write(io.Discard, g, src, onnx.Options{}); err == nil || !strings.Contains(err.Error(), "fc.bias") {
		t.Errorf("got %v, want the source's error", err)
	}
}

// A folded batch norm leaves weights and biases with which the layer before it alone gives the same; one that cannot be folded stays.
func TestFoldBatchNorm(t *testing.T) {
	in := graph.Shape{H: 5, W: 4, C: 3}
	conv := graph.Conv2D{Filters: 6, Window: graph.Window{Size: [2]int{3}}, Groups: 3}
	bare := conv
	bare.NoBias = true
	for _, c := range []struct {
		op, folded graph.Op
		ops        int // with the one that names the output
	}{{conv, conv, 2}, {bare, conv, 2}, {graph.Linear{Out: 5}, graph.Linear{Out: 5}, 3}, {graph.Linear{Out: 5, NoBias: true}, graph.Linear{Out: 5}, 3}} {
		with := graph.New(in)
		x := with.Add("x", c.op, with.Input())
		with.Add("bn", graph.BatchNorm{}, x)
		m := export(t, with, onnx.Options{FoldBatchNorm: true})
		if len(m.ops) != c.ops || len(m.dims) != 2 {
			t.Fatalf("got %v with %v, want %v with two tensors", m.ops, m.dims, c.op)
		}
		without := graph.New(in)
		without.Add("x", c.folded, without.Input())
		src := sourceOf(with)
		want := answer(t, with, src.all)
		got := answer(t, without, func(name string) []float32 { return m.weights[name] })
		for i := range want {
			if math.Abs(float64(got[i]-want[i])) > 1e-5 {
				t.Fatalf("output %d: got %g, want %g", i, got[i], want[i])
			}
		}
	}
	g := graph.New(in)
	x := g.Add("conv", graph.Conv2D{Filters: 2, Window: graph.Window{Size: [2]int{1}}}, g.Input())
	y := g.Add("bn", graph.BatchNorm{}, x)
	g.Add("add", graph.Add{}, x, y)
	if m := export(t, g, onnx.Options{FoldBatchNorm: true}); len(m.ops) != 4 || m.ops[1].op != "BatchNormalization" {
		t.Errorf("another layer reads the convolution: got %v", m.ops)
	}
}

// answer returns what a network with these tensors, in PyTorch's layout, makes of an image.
func answer(t *testing.T, g *graph.Graph, tensor func(name string) []float32) []float32 {
	t.Helper()
	dev := cpu.New(1)
	defer dev.Close()
	w, err := graph.NewWeights(g, dev)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range g.Params() {
		v := tensor(p.Name)
		if len(p.Dims) == 4 { // (K, C, R, S) to (K, R, S, C)
			k, r, s, c := p.Dims[0], p.Dims[1], p.Dims[2], p.Dims[3]
			moved := make([]float32, len(v))
			for i := range v {
				at := i
				si, ri := at%s, at/s%r
				ci, ki := at/(s*r)%c, at/(s*r*c)%k
				moved[((ki*r+ri)*s+si)*c+ci] = v[i]
			}
			v = moved
		}
		if err := w.Set(p, v); err != nil {
			t.Fatal(err)
		}
	}
	f, err := graph.CompileFeatures(g, w, g.Output(), graph.InferConfig{Batch: 1}) // an evaluation would fold batch norms
	if err != nil {
		t.Fatal(err)
	}
	n, out := g.Input().Out.Size(), g.Output().Out.Size()
	x, y := make([]float32, n), make([]float32, out)
	for i := range x {
		x[i] = float32(i%7) - 3
	}
	if err := f.Run(x, y); err != nil {
		t.Fatal(err)
	}
	return y
}
