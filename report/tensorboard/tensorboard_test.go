package tensorboard

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// The part of TensorFlow's schema that the package writes, as a descriptor: the test decodes with the protobuf runtime
// from it, so an error in a number or a wire type of the encoder shows.
const schema = `
name: "event.proto" package: "tensorflow" syntax: "proto3"
message_type { name: "Event"
  field { name: "wall_time" number: 1 type: TYPE_DOUBLE }
  field { name: "step" number: 2 type: TYPE_INT64 }
  field { name: "file_version" number: 3 type: TYPE_STRING }
  field { name: "summary" number: 5 type: TYPE_MESSAGE type_name: ".tensorflow.Summary" }
  field { name: "session_log" number: 7 type: TYPE_MESSAGE type_name: ".tensorflow.SessionLog" }
}
message_type { name: "SessionLog"
  field { name: "status" number: 1 type: TYPE_ENUM type_name: ".tensorflow.SessionLog.SessionStatus" }
  enum_type { name: "SessionStatus" value { name: "STATUS_UNSPECIFIED" number: 0 } value { name: "START" number: 1 } }
}
message_type { name: "Summary"
  field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_MESSAGE type_name: ".tensorflow.Summary.Value" }
  nested_type { name: "Image"
    field { name: "height" number: 1 type: TYPE_INT32 }
    field { name: "width" number: 2 type: TYPE_INT32 }
    field { name: "colorspace" number: 3 type: TYPE_INT32 }
    field { name: "encoded_image_string" number: 4 type: TYPE_BYTES }
  }
  nested_type { name: "Value"
    field { name: "tag" number: 1 type: TYPE_STRING }
    field { name: "simple_value" number: 2 type: TYPE_FLOAT }
    field { name: "image" number: 4 type: TYPE_MESSAGE type_name: ".tensorflow.Summary.Image" }
  }
}`

func eventDescriptor(t *testing.T) protoreflect.MessageDescriptor {
	t.Helper()
	var file descriptorpb.FileDescriptorProto
	if err := prototext.Unmarshal([]byte(schema), &file); err != nil {
		t.Fatal(err)
	}
	d, err := protodesc.NewFile(&file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d.Messages().ByName("Event")
}

// get follows a path of fields through singular messages; [0] of a repeated one is implied.
func get(m protoreflect.Message, path ...string) protoreflect.Value {
	for {
		f := m.Descriptor().Fields().ByName(protoreflect.Name(path[0]))
		v := m.Get(f)
		if f.IsList() {
			v = v.List().Get(0)
		}
		if path = path[1:]; len(path) == 0 {
			return v
		}
		m = v.Message()
	}
}

// records takes a file apart, with a checksum of its own.
func records(t *testing.T, path string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list [][]byte
	for len(b) > 0 {
		if len(b) < 16 {
			t.Fatalf("%d bytes are left, want a whole record", len(b))
		}
		n := binary.LittleEndian.Uint64(b)
		if n > uint64(len(b)-16) {
			t.Fatalf("record of %d bytes, but %d are left", n, len(b)-16)
		}
		data := b[12 : 12+n]
		wantChecksum(t, b[:8], binary.LittleEndian.Uint32(b[8:]))
		wantChecksum(t, data, binary.LittleEndian.Uint32(b[12+n:]))
		list = append(list, data)
		b = b[16+n:]
	}
	return list
}

// wantChecksum computes CRC-32C bit by bit and takes the mask off, as TensorFlow's Unmask does.
func wantChecksum(t *testing.T, b []byte, masked uint32) {
	t.Helper()
	crc := ^uint32(0)
	for _, v := range b {
		crc ^= uint32(v)
		for range 8 {
			crc = crc>>1 ^ 0x82f63b78*(crc&1)
		}
	}
	rot := masked - 0xa282ead8
	if got := rot>>17 | rot<<15; got != ^crc {
		t.Fatalf("checksum %#x, want %#x", got, ^crc)
	}
}

func TestEvents(t *testing.T) {
	wall := time.Unix(1700000000, 250_000_000)
	w, err := New(t.TempDir(), wall)
	if err != nil {
		t.Fatal(err)
	}
	if name := filepath.Base(w.Path()); !regexp.MustCompile(`^events\.out\.tfevents\.1700000000\..+\.\d+\.0$`).MatchString(name) {
		t.Errorf("got the name %q", name)
	}
	picture := image.NewRGBA(image.Rect(0, 0, 5, 3))
	picture.Set(4, 2, color.RGBA{1, 2, 3, 255})
	for _, err := range []error{
		w.Scalar("train/loss", 0, 2.5, wall),
		w.Scalar("train/loss\xff", 1<<40, math.NaN(), wall),
		w.Resume(7, wall),
		w.Image("filters", 8, picture, wall),
		w.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}

	list := records(t, w.Path())
	if len(list) != 5 {
		t.Fatalf("got %d records, want 5", len(list))
	}
	event := eventDescriptor(t)
	var events []protoreflect.Message
	for i, b := range list {
		m := dynamicpb.NewMessage(event)
		if err := proto.Unmarshal(b, m); err != nil {
			t.Fatal(err)
		}
		if len(m.GetUnknown()) != 0 {
			t.Errorf("record %d has fields outside the schema: % x", i, m.GetUnknown())
		}
		if got := get(m, "wall_time").Float(); got != 1700000000.25 {
			t.Errorf("record %d: got wall time %f", i, got)
		}
		events = append(events, m)
	}
	wantSteps := []int64{0, 0, 1 << 40, 7, 8}
	for i, m := range events {
		if got := get(m, "step").Int(); got != wantSteps[i] {
			t.Errorf("record %d: got step %d, want %d", i, got, wantSteps[i])
		}
	}
	if got := get(events[0], "file_version").String(); got != "brain.Event:2" {
		t.Errorf("got version %q", got)
	}
	if tag, v := get(events[1], "summary", "value", "tag").String(), get(events[1], "summary", "value", "simple_value").Float(); tag != "train/loss" || v != 2.5 {
		t.Errorf("got scalar %q %v", tag, v)
	}
	if tag, v := get(events[2], "summary", "value", "tag").String(), get(events[2], "summary", "value", "simple_value").Float(); tag != "train/loss\uFFFD" || !math.IsNaN(v) {
		t.Errorf("got scalar %q %v", tag, v)
	}
	if got := get(events[3], "session_log", "status").Enum(); got != 1 {
		t.Errorf("got session status %d, want START", got)
	}
	img := get(events[4], "summary", "value", "image").Message()
	if w, h := get(img, "width").Int(), get(img, "height").Int(); w != 5 || h != 3 {
		t.Errorf("got an image of %dx%d, want 5x3", w, h)
	}
	decoded, err := png.Decode(bytes.NewReader(get(img, "encoded_image_string").Bytes()))
	if err != nil || color.RGBAModel.Convert(decoded.At(4, 2)) != (color.RGBA{1, 2, 3, 255}) {
		t.Errorf("the image changed: %v", err)
	}
}

// Every file that TensorFlow writes starts with these bytes: the length of the version event, 24, and its checksum.
func TestFirstBytes(t *testing.T) {
	w, err := New(t.TempDir(), time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	b, err := os.ReadFile(w.Path()) // New has flushed it
	if err != nil || len(b) < 12 {
		t.Fatalf("got %d bytes, %v", len(b), err)
	}
	if got := hex.EncodeToString(b[:12]); got != "1800000000000000a37f4b22" {
		t.Errorf("got %s", got)
	}
}

func TestFlushShowsEvents(t *testing.T) {
	w, err := New(t.TempDir(), time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Scalar("lr", 1, 0.1, time.Unix(2, 0)); err != nil {
		t.Fatal(err)
	}
	if n := len(records(t, w.Path())); n != 1 {
		t.Errorf("before Flush the file has %d records, want 1", n)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := len(records(t, w.Path())); n != 2 {
		t.Errorf("after Flush the file has %d records, want 2", n)
	}
}

func TestTwoWritersInOneSecond(t *testing.T) {
	dir, now := t.TempDir(), time.Unix(1, 0)
	a, err := New(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := New(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if a.Path() == b.Path() || a.Path() > b.Path() {
		t.Errorf("got %s and %s, want two names in this order", a.Path(), b.Path())
	}
}

func TestErrors(t *testing.T) {
	if _, err := New(filepath.Join(t.TempDir(), "absent"), time.Now()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent folder: got %v", err)
	}
	w, err := New(t.TempDir(), time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	w.file.Close() // as if the disk had gone
	if err := w.Scalar("x", 1, 1, time.Unix(1, 0)); err != nil {
		t.Errorf("a buffered event: got %v", err)
	}
	first := w.Flush()
	if first == nil || !strings.Contains(first.Error(), w.Path()) {
		t.Errorf("got %v, want an error with the path", first)
	}
	if err := w.Scalar("x", 2, 1, time.Unix(1, 0)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after an error: got %v, want the same", err)
	}
	if err := w.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Close: got %v, want the first error", err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("second Close: got %v", err)
	}
	if err := w.Scalar("x", 3, 1, time.Unix(1, 0)); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: got %v, want ErrClosed", err)
	}
}
