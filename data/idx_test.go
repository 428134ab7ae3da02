package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// idxFile returns an IDX file with a header that says dims and with these data, whether they agree or not.
func idxFile(dims []int, data []uint8) []byte {
	b := []byte{0, 0, idxUint8, uint8(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	return append(b, data...)
}

// ramp returns n bytes that count from start.
func ramp(n int, start uint8) []uint8 {
	b := make([]uint8, n)
	for i := range b {
		b[i] = start + uint8(i)
	}
	return b
}

func idxContent(t testing.TB) content {
	return content{
		"train-images-idx3-ubyte":    idxFile([]int{4, 3, 2}, ramp(24, 10)),
		"train-labels-idx1-ubyte.gz": gzipped(t, idxFile([]int{4}, []uint8{0, 9, 5, 0})),
		"t10k-images.idx3-ubyte.gz":  idxFile([]int{1, 3, 2}, ramp(6, 100)), // not packed in spite of its name
		"t10k-labels.idx1-ubyte":     gzipped(t, idxFile([]int{1}, []uint8{3})),
		"readme.txt":                 []byte("text"),
	}
}

func TestIDX(t *testing.T) {
	c := idxContent(t)
	deep := content{}
	for name, b := range c {
		deep["MNIST/raw/"+name] = b
	}
	digest := ""
	for _, path := range []string{
		c.folder(t), deep.folder(t), write(t, deep.tar(t)), write(t, gzipped(t, deep.tar(t))), write(t, c.zip(t)),
	} {
		s := open(t, path, Options{})
		if got := firstPixels(t, s.Train); !slices.Equal(got, [][3]uint8{{10}, {16}, {22}, {28}}) {
			t.Errorf("%s: training images begin with %v", path, got)
		}
		if got := firstPixels(t, s.Val); !slices.Equal(got, [][3]uint8{{100}}) {
			t.Errorf("%s: validation images begin with %v", path, got)
		}
		if got := strings.Join(s.Train.Classes(), ""); got != "0123456789" {
			t.Errorf("%s: classes %q", path, got)
		}
		if s.Train.Label(1) != 9 || s.Val.Label(0) != 3 || !strings.HasSuffix(s.Train.Name(2), "train-images-idx3-ubyte[2]") {
			t.Errorf("%s: labels %d and %d, name %q", path, s.Train.Label(1), s.Val.Label(0), s.Train.Name(2))
		}
		if digest == "" {
			digest = s.Digest
		} else if s.Digest != digest {
			t.Errorf("%s: another digest for the same data", path)
		}
	}
	c["t10k-labels.idx1-ubyte"] = idxFile([]int{1}, []uint8{4})
	if s := open(t, c.folder(t), Options{}); s.Digest == digest {
		t.Error("the digest is the same although a label differs")
	}
}

// A part may be missing: without t10k a draw from the training part takes its place.
func TestIDXParts(t *testing.T) {
	only := func(prefix string) content {
		c := content{}
		for name, b := range idxContent(t) {
			if strings.HasPrefix(name, prefix) {
				c[name] = b
			}
		}
		return c
	}
	s := open(t, only("train").folder(t), Options{})
	if s.Train.Len() != 3 || s.Val.Len() != 1 || len(s.Notes) != 1 {
		t.Errorf("%d and %d samples, notes %q; want 3 and 1 and a note", s.Train.Len(), s.Val.Len(), s.Notes)
	}
	if s := open(t, only("t10k").folder(t), Options{}); s.Train != nil || s.Val.Len() != 1 {
		t.Errorf("training part %v, %d samples for validation; want none and 1", s.Train, s.Val.Len())
	}
}

func TestNumberedClasses(t *testing.T) {
	for _, c := range []struct {
		labels []uint8
		want   int
	}{
		{[]uint8{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 10},
		{[]uint8{1, 0, 1}, 2},
		{[]uint8{0, 2}, 10},
		{ramp(26, 0), 26},
		{ramp(26, 1), 10}, // then 26 is out of range, which is reported
		{append(ramp(10, 0), 200), 10},
		{[]uint8{0}, 2},
	} {
		if got := numberedClasses(c.labels); len(got) != c.want || got[c.want-1] != fmt.Sprint(c.want-1) {
			t.Errorf("labels %v: classes %q, want %d", c.labels, got, c.want)
		}
	}
}

func TestIDXErrors(t *testing.T) {
	const images, labels = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
	good := func() content {
		return content{images: idxFile([]int{4, 3, 2}, ramp(24, 0)), labels: idxFile([]int{4}, []uint8{0, 1, 2, 3})}
	}
	packed := gzipped(t, idxFile([]int{4, 3, 2}, ramp(24, 0)))
	damaged := bytes.Clone(packed)
	damaged[len(damaged)-6] ^= 1 // in the checksum
	for _, c := range []struct {
		name string
		file string
		b    []byte
		is   error
		want string
	}{
		{"no labels", labels, nil, ErrFormat, "labels that belong to " + images},
		{"empty", images, []byte{}, ErrCorrupt, "header has 16 bytes, but only 0"},
		{"short header", images, idxFile([]int{4, 3, 2}, nil)[:15], ErrCorrupt, "header has 16 bytes, but only 15"},
		{"labels for images", images, idxFile([]int{4}, ramp(30, 0)), ErrCorrupt, "0x00000801 instead of 0x00000803"},
		{"floats", images, append([]byte{0, 0, 0x0d, 3}, ramp(36, 0)...), ErrCorrupt, "0x00000d03"},
		{"one byte short", images, idxFile([]int{4, 3, 2}, ramp(23, 0)), ErrCorrupt, "promises 24 bytes of data ([4 3 2]), but the file holds 23"},
		{"one byte long", images, idxFile([]int{4, 3, 2}, ramp(25, 0)), ErrCorrupt, "holds 25"},
		{"no images", images, idxFile([]int{0, 3, 2}, nil), ErrCorrupt, "dimension 1 has 0"},
		{"huge", images, idxFile([]int{1<<31 - 1, 1<<31 - 1, 1<<31 - 1}, nil), ErrCorrupt, "dimension 3"},
		{"packed and huge", images, gzipped(t, idxFile([]int{1<<31 - 1, 1<<30 - 1, 1}, nil)), ErrCorrupt, "kept in memory"},
		{"packed and large", images, gzipped(t, idxFile([]int{1 << 20, 32, 32}, ramp(100, 0))), ErrCorrupt, "promises 1073741824 bytes of data ([1048576 32 32]), but only 100"},
		{"packed, one byte long", images, gzipped(t, idxFile([]int{4, 3, 2}, ramp(25, 0))), ErrCorrupt, "more than the 24 bytes"},
		{"packed and cut", images, packed[:len(packed)-20], ErrCorrupt, "promises 24 bytes"},
		{"packed without checksum", images, packed[:len(packed)-4], ErrCorrupt, "they are damaged"},
		{"packed with a wrong checksum", images, damaged, ErrCorrupt, "they are damaged"},
		{"gzip header cut", images, packed[:5], ErrCorrupt, "gzip header"},
		{"fewer labels", labels, idxFile([]int{3}, ramp(3, 0)), ErrCorrupt, "4 images"},
		{"label out of range", labels, idxFile([]int{4}, []uint8{0, 1, 10, 3}), ErrCorrupt, "label 2 of 4 is 10, but there are 10 classes"},
		{"many pixels", images, idxFile([]int{4, 200, 200}, make([]uint8, 160000)), ErrCorrupt, "at most 10000 pixels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := good()
			if c.b == nil {
				delete(set, c.file)
			} else {
				set[c.file] = c.b
			}
			_, err := Open(set.folder(t), Options{MaxPixels: 10000})
			if !errors.Is(err, c.is) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("got %v, want %v and %q", err, c.is, c.want)
			}
			if c.b != nil && !strings.Contains(fmt.Sprint(err), c.file) {
				t.Errorf("the error does not name %s: %v", c.file, err)
			}
		})
	}
	two := content{}
	for name, b := range good() {
		two["a/"+name], two["b/"+name] = b, b
	}
	if _, err := Open(two.folder(t), Options{}); !errors.Is(err, ErrFormat) || !strings.Contains(fmt.Sprint(err), "in a and in b") {
		t.Errorf("two sets in one place: %v", err)
	}
}
