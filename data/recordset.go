package data

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// recordSet holds images of one size in memory, as IDX and CIFAR files do.
type recordSet struct {
	w, h, c   int
	planar    bool    // the channels of an image follow each other, (C, H, W); otherwise interleaved, (H, W, C)
	offset    int     // where the pixels start in a record
	stride    int     // bytes from one record to the next
	data      []uint8 // (N, stride)
	labels    []uint8 // (N)
	labelFile string
	classes   []string
	spans     []span // the files that the records come from, in order
}

func (s *recordSet) Len() int          { return len(s.labels) }
func (s *recordSet) Classes() []string { return s.classes }
func (s *recordSet) Label(i int) int   { return int(s.labels[i]) }
func (s *recordSet) Channels() int     { return s.c }

func (s *recordSet) Name(i int) string {
	for _, sp := range s.spans {
		if i < sp.n {
			return sp.name(i)
		}
		i -= sp.n
	}
	return fmt.Sprintf("sample %d", i)
}

func (s *recordSet) Read(i int, m *Image) error {
	m.Reset(s.w, s.h, s.c)
	from := i*s.stride + s.offset
	pix := s.data[from : from+len(m.Pix)]
	if !s.planar {
		copy(m.Pix, pix)
		return nil
	}
	n := s.w * s.h
	for ch := range s.c {
		for j, v := range pix[ch*n : (ch+1)*n] {
			m.Pix[j*s.c+ch] = v
		}
	}
	return nil
}

// recordSource makes a source of one or two parts, drawing the validation part if there is none.
func recordSource(format string, train, val *recordSet, opt Options) (*Source, error) {
	src := &Source{Format: format}
	h := sha256.New()
	for _, s := range []*recordSet{train, val} {
		if s == nil {
			continue
		}
		fmt.Fprintf(h, "%s %d %d %d %d %q\n", format, s.Len(), s.h, s.w, s.c, s.classes)
		h.Write(s.data)
		h.Write(s.labels)
	}
	// An interface that holds a nil pointer is not nil: the parts are set one by one.
	if train != nil {
		src.Train = train
	}
	if val != nil {
		src.Val = val
	}
	if val == nil {
		if err := src.split(opt); err != nil {
			return nil, err
		}
		fmt.Fprintf(h, "split %v %d\n", opt.ValSplit, opt.Seed)
	}
	src.Digest = hex.EncodeToString(h.Sum(nil))
	return src, nil
}
