// Package onnx writes networks in the Open Neural Network Exchange format (github.com/onnx/onnx, docs/IR.md), as one file with the weights
// inside: operators of opset 17, images as (N, C, H, W) with a batch of any size, logits as (N, classes).
//
// Weights are streamed from where they lie to the file, so that memory is needed for a block of them at a time.
package onnx

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/cnnctl/cnnctl/graph"
)

// ErrUnsupported marks a layer that the operators of ONNX do not express.
var ErrUnsupported = errors.New("not expressible in ONNX")

// A Source has the tensors of a network under PyTorch's names and in its layout, as a checkpoint file does. Float32Blocks calls fn with the
// elements of one, at most block at a time; first is the position of the first.
type Source interface {
	Float32Blocks(name string, block int, fn func(first int, part []float32) error) error
}

// Options says what else goes into the file.
type Options struct {
	// FoldBatchNorm multiplies a batch norm into the weights of the layer before it where graph.Node.Folds, so that the batch norm is gone. The answers stay
	// the same but for rounding.
	FoldBatchNorm bool
	Name          string            // of the network
	Metadata      map[string]string // key-value pairs that readers find beside the network
}

// The names of the network's input and output.
const (
	Input  = "input"
	Output = "logits"
)

// maxFile is what protobuf's readers accept.
const maxFile = math.MaxInt32

// Write writes a network with its weights. The error wraps ErrUnsupported for a layer that cannot be written, or is the source's or the writer's.
func Write(w io.Writer, g *graph.Graph, src Source, opt Options) error {
	if err := g.Err(); err != nil {
		return err
	}
	e := &exporter{src: src, opt: opt, names: make(map[*graph.Node]string), norms: make(map[*graph.Node]*graph.Node)}
	if opt.FoldBatchNorm {
		for _, n := range g.Nodes() {
			if n.Folds() {
				e.norms[n.In[0]] = n
			}
		}
	}
	for _, n := range g.Nodes() {
		if err := e.node(n); err != nil {
			return fmt.Errorf("layer %s (%v): %w", n.Name, n.Op, err)
		}
	}
	e.add("Identity", "output", []string{e.names[g.Output()]}, Output)
	head := e.model(g)
	size := int64(len(head))
	for _, t := range e.tensors {
		size += t.size()
	}
	if size > maxFile {
		return fmt.Errorf("want a file of at most %d bytes, as protobuf allows, got %d: %w", int64(maxFile), size, ErrUnsupported)
	}
	b := bufio.NewWriterSize(w, 256<<10)
	if _, err := b.Write(head); err != nil {
		return err
	}
	for _, t := range e.tensors {
		if err := t.write(b); err != nil {
			return fmt.Errorf("tensor %s: %w", t.name, err)
		}
	}
	return b.Flush()
}

// model returns what stands before the tensors: these are the last fields of the graph, and the graph is the last of the model.
func (e *exporter) model(g *graph.Graph) (head []byte) {
	var body []byte
	for _, n := range e.nodes {
		body = appendMessage(body, graphNode, n)
	}
	body = appendString(body, graphName, e.opt.Name)
	in := g.Input().Out
	body = appendMessage(body, graphInput, valueInfo(Input, in.C, in.H, in.W))
	out := g.Output().Out
	if out.Flat {
		body = appendMessage(body, graphOutput, valueInfo(Output, out.Size()))
	} else {
		body = appendMessage(body, graphOutput, valueInfo(Output, out.C, out.H, out.W))
	}
	size := int64(len(body))
	for _, t := range e.tensors {
		size += t.size()
	}
	head = appendVarint(nil, modelIRVersion, irVersion)
	head = appendString(head, modelProducerName, "cnnctl")
	head = appendMessage(head, modelOpsetImport, appendVarint(nil, opsetVersion, opset))
	for _, key := range slices.Sorted(maps.Keys(e.opt.Metadata)) {
		entry := appendString(nil, entryKey, key)
		head = appendMessage(head, modelMetadata, appendString(entry, entryValue, e.opt.Metadata[key]))
	}
	head = appendHeader(head, modelGraph, size)
	return append(head, body...)
}
