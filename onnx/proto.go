package onnx

import (
	"encoding/binary"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The field numbers of the messages (onnx/onnx.proto).
const (
	modelIRVersion    protowire.Number = 1
	modelProducerName protowire.Number = 2
	modelGraph        protowire.Number = 7
	modelOpsetImport  protowire.Number = 8
	modelMetadata     protowire.Number = 14

	opsetVersion protowire.Number = 2

	entryKey   protowire.Number = 1
	entryValue protowire.Number = 2

	graphNode        protowire.Number = 1
	graphName        protowire.Number = 2
	graphInitializer protowire.Number = 5
	graphInput       protowire.Number = 11
	graphOutput      protowire.Number = 12

	nodeInput     protowire.Number = 1
	nodeOutput    protowire.Number = 2
	nodeName      protowire.Number = 3
	nodeOpType    protowire.Number = 4
	nodeAttribute protowire.Number = 5

	attrName  protowire.Number = 1
	attrFloat protowire.Number = 2
	attrInt   protowire.Number = 3
	attrInts  protowire.Number = 8
	attrType  protowire.Number = 20

	tensorDims     protowire.Number = 1
	tensorDataType protowire.Number = 2
	tensorName     protowire.Number = 8
	tensorRawData  protowire.Number = 9

	infoName protowire.Number = 1
	infoType protowire.Number = 2

	typeTensor protowire.Number = 1

	tensorTypeElem  protowire.Number = 1
	tensorTypeShape protowire.Number = 2

	shapeDim protowire.Number = 1

	dimValue protowire.Number = 1
	dimParam protowire.Number = 2
)

// Values of their enumerations, and the versions.
const (
	irVersion = 8 // the one that came with opset 17
	opset     = 17

	typeFloat = 1 // TensorProto.DataType
	typeInt64 = 7

	attributeFloat = 1 // AttributeProto.AttributeType
	attributeInt   = 2
	attributeInts  = 7
)

func appendVarint(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendString(b []byte, field protowire.Number, v string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func appendMessage(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// appendHeader begins a message or bytes of a size that follow elsewhere.
func appendHeader(b []byte, field protowire.Number, size int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(size))
}

// valueInfo describes float32 tensors of a batch of any size.
func valueInfo(name string, dims ...int) []byte {
	shape := appendMessage(nil, shapeDim, appendString(nil, dimParam, "N"))
	for _, d := range dims {
		shape = appendMessage(shape, shapeDim, appendVarint(nil, dimValue, uint64(d)))
	}
	tensor := appendMessage(appendVarint(nil, tensorTypeElem, typeFloat), tensorTypeShape, shape)
	return appendMessage(appendString(nil, infoName, name), infoType, appendMessage(nil, typeTensor, tensor))
}

// An attribute is a constant of an operator.
type attribute struct {
	name  string
	value any // int, float32 or []int
}

func (a attribute) message() []byte {
	b := appendString(nil, attrName, a.name)
	switch v := a.value.(type) {
	case int:
		return appendVarint(appendVarint(b, attrInt, uint64(v)), attrType, attributeInt)
	case float32:
		b = protowire.AppendFixed32(protowire.AppendTag(b, attrFloat, protowire.Fixed32Type), math.Float32bits(v))
		return appendVarint(b, attrType, attributeFloat)
	case []int:
		for _, x := range v {
			b = appendVarint(b, attrInts, uint64(x))
		}
		return appendVarint(b, attrType, attributeInts)
	}
	panic("onnx: an attribute of another type")
}

// A tensor is an initialiser: a weight or a constant.
type tensor struct {
	name   string
	head   []byte // all of the message but the elements
	bytes  int64  // of the elements
	values func(emit func(part []float32) error) error
	raw    []byte // instead of values
}

func newTensor(name string, dataType uint64, dims []int) tensor {
	width := int64(4)
	if dataType == typeInt64 {
		width = 8
	}
	t := tensor{name: name, bytes: width}
	for _, d := range dims {
		t.head = appendVarint(t.head, tensorDims, uint64(d))
		t.bytes *= int64(d)
	}
	t.head = appendVarint(t.head, tensorDataType, dataType)
	t.head = appendString(t.head, tensorName, name)
	t.head = appendHeader(t.head, tensorRawData, t.bytes)
	return t
}

// size returns the bytes of the tensor as a field of the graph.
func (t tensor) size() int64 {
	n := int64(len(t.head)) + t.bytes
	return int64(protowire.SizeTag(graphInitializer)+protowire.SizeVarint(uint64(n))) + n
}

func (t tensor) write(w io.Writer) error {
	b := append(appendHeader(nil, graphInitializer, int64(len(t.head))+t.bytes), t.head...)
	if _, err := w.Write(b); err != nil {
		return err
	}
	if t.values == nil {
		_, err := w.Write(t.raw)
		return err
	}
	return t.values(func(part []float32) error {
		b = b[:0]
		for _, v := range part {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		_, err := w.Write(b)
		return err
	})
}
