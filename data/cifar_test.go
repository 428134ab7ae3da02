package data

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// cifarRecords returns a record for each label: image i has red i, green 100+i and blue 200+i everywhere.
func cifarRecords(labelBytes int, labels ...uint8) []byte {
	var b []byte
	for i, l := range labels {
		b = append(b, make([]byte, labelBytes-1)...) // a coarse label of 0
		b = append(b, l)
		for _, base := range []int{0, 100, 200} {
			for range cifarSide * cifarSide {
				b = append(b, uint8(base+i))
			}
		}
	}
	return b
}

func TestCIFAR10(t *testing.T) {
	c := content{
		"cifar-10-batches-bin/data_batch_1.bin": cifarRecords(1, 3, 9),
		"cifar-10-batches-bin/data_batch_2.bin": cifarRecords(1, 0),
		"cifar-10-batches-bin/test_batch.bin":   cifarRecords(1, 7, 8),
		"cifar-10-batches-bin/batches.meta.txt": []byte("airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"),
		"cifar-10-batches-bin/readme.html":      []byte("<html>"),
	}
	for _, path := range []string{c.folder(t), write(t, gzipped(t, c.tar(t))), write(t, c.zip(t))} {
		s := open(t, path, Options{})
		if !strings.HasPrefix(s.Format, "cifar10") || s.Train.Channels() != 3 {
			t.Errorf("format %s, %d channels", s.Format, s.Train.Channels())
		}
		if got := firstPixels(t, s.Train); !slices.Equal(got, [][3]uint8{{0, 100, 200}, {1, 101, 201}, {0, 100, 200}}) {
			t.Errorf("training pixels %v", got)
		}
		if s.Train.Label(1) != 9 || s.Train.Label(2) != 0 || s.Val.Label(1) != 8 || s.Train.Classes()[9] != "truck" {
			t.Error("the labels or the names are wrong")
		}
		if got := s.Train.Name(2); !strings.HasSuffix(got, "data_batch_2.bin[0]") {
			t.Errorf("sample 2 is called %q", got)
		}
		if got := s.Val.Len(); got != 2 {
			t.Errorf("%d samples for validation, want 2", got)
		}
	}
}

func TestCIFAR100(t *testing.T) {
	s := open(t, content{"train.bin": cifarRecords(2, 99, 5, 5), "test.bin": cifarRecords(2, 42)}.folder(t), Options{})
	if s.Format != "cifar100" || s.Train.Label(0) != 99 || s.Val.Label(0) != 42 || len(s.Train.Classes()) != 100 || len(s.Notes) != 1 {
		t.Errorf("format %s, labels %d and %d, %d classes, notes %q", s.Format, s.Train.Label(0), s.Val.Label(0), len(s.Train.Classes()), s.Notes)
	}
	if got := firstPixels(t, s.Train); !slices.Equal(got, [][3]uint8{{0, 100, 200}, {1, 101, 201}, {2, 102, 202}}) {
		t.Errorf("training pixels %v", got)
	}
}

func TestCIFARErrors(t *testing.T) {
	good := cifarRecords(1, 1, 2, 3)
	for _, c := range []struct {
		name string
		c    content
		is   error
		want string
	}{
		{"cut", content{"data_batch_1.bin": good[:len(good)-1]}, ErrCorrupt, "9218 bytes, which is 3072 too many for 2 records"},
		{"empty", content{"data_batch_1.bin": nil}, ErrCorrupt, "0 bytes"},
		{"label", content{"data_batch_1.bin": cifarRecords(1, 1, 10)}, ErrCorrupt, "the label of record 1 is 10"},
		{"names", content{"data_batch_1.bin": good, "batches.meta.txt": []byte("cat dog")}, ErrCorrupt, "should name 10 classes, but names 2"},
		{"two", content{"a/data_batch_1.bin": good, "b/data_batch_1.bin": good}, ErrFormat, "in a and in b"},
		{"another train.bin", content{"train.bin": []byte("tokens")}, ErrFormat, "none of its 1 files is an image"},
		{"cut, but named", content{"train.bin": []byte("tokens"), "fine_label_names.txt": []byte("x")}, ErrCorrupt, "should name 100 classes"},
		{"memory", content{"data_batch_1.bin": good, "data_batch_2.bin": good}, ErrFormat, "only 783 may be kept"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(c.c.folder(t), Options{MaxMemory: 10002})
			if !errors.Is(err, c.is) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("got %v, want %v and %q", err, c.is, c.want)
			}
		})
	}
}
