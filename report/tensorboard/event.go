package tensorboard

import (
	"image"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// The field numbers of the messages (tensorflow/core/util/event.proto and tensorflow/core/framework/summary.proto).
const (
	eventWallTime    protowire.Number = 1 // double, seconds
	eventStep        protowire.Number = 2 // int64
	eventFileVersion protowire.Number = 3 // string
	eventSummary     protowire.Number = 5 // Summary
	eventSessionLog  protowire.Number = 7 // SessionLog

	sessionLogStatus protowire.Number = 1 // enum

	summaryValue protowire.Number = 1 // repeated Value

	valueTag    protowire.Number = 1 // string
	valueSimple protowire.Number = 2 // float
	valueImage  protowire.Number = 4 // Image

	imageHeight     protowire.Number = 1 // int32
	imageWidth      protowire.Number = 2 // int32
	imageColorspace protowire.Number = 3 // int32
	imageEncoded    protowire.Number = 4 // bytes
)

// Values of their enumerations.
const (
	sessionLogStart = 1
	colorspaceRGBA  = 4
)

func appendVarint(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// appendString replaces what is not UTF-8, which protobuf's readers refuse.
func appendString(b []byte, field protowire.Number, v string) []byte {
	return appendBytes(b, field, []byte(strings.ToValidUTF8(v, "\uFFFD")))
}

// event begins an Event message.
func event(step int64, wall time.Time) []byte {
	b := protowire.AppendTag(nil, eventWallTime, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, math.Float64bits(float64(wall.Unix())+float64(wall.Nanosecond())/1e9))
	if step != 0 { // zero is the default and not stored
		b = appendVarint(b, eventStep, uint64(step))
	}
	return b
}

func fileVersion(wall time.Time) []byte {
	return appendString(event(0, wall), eventFileVersion, "brain.Event:2")
}

func sessionStart(step int64, wall time.Time) []byte {
	return appendBytes(event(step, wall), eventSessionLog, appendVarint(nil, sessionLogStatus, sessionLogStart))
}

// scalarEvent stores v as the float32 that the format has.
func scalarEvent(tag string, step int64, v float64, wall time.Time) []byte {
	value := appendString(nil, valueTag, tag)
	value = protowire.AppendTag(value, valueSimple, protowire.Fixed32Type)
	value = protowire.AppendFixed32(value, math.Float32bits(float32(v)))
	return summaryEvent(step, wall, value)
}

func imageEvent(tag string, step int64, size image.Point, encoded []byte, wall time.Time) []byte {
	img := appendVarint(nil, imageHeight, uint64(size.Y))
	img = appendVarint(img, imageWidth, uint64(size.X))
	img = appendVarint(img, imageColorspace, colorspaceRGBA)
	img = appendBytes(img, imageEncoded, encoded)
	return summaryEvent(step, wall, appendBytes(appendString(nil, valueTag, tag), valueImage, img))
}

func summaryEvent(step int64, wall time.Time, value []byte) []byte {
	return appendBytes(event(step, wall), eventSummary, appendBytes(nil, summaryValue, value))
}
