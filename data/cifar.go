package data

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// The binary form of CIFAR is described on the page of Krizhevsky, "The CIFAR-10 and CIFAR-100 datasets": records of
// the label bytes followed by 32 x 32 red, then green, then blue values.
const (
	cifarSide   = 32
	cifarPixels = 3 * cifarSide * cifarSide
)

// A cifarKind tells the two sets apart.
type cifarKind struct {
	format      string
	classes     int
	labelBytes  int // the last of them is the label that is used: of CIFAR-100's coarse and fine label, the fine one
	train, test *regexp.Regexp
	names       string // the file that holds the class names, one per line
}

var cifarKinds = []cifarKind{
	{"cifar10", 10, 1, regexp.MustCompile(`^data_batch_\d+\.bin$`), regexp.MustCompile(`^test_batch\.bin$`), "batches.meta.txt"},
	{"cifar100", 100, 2, regexp.MustCompile(`^train\.bin$`), regexp.MustCompile(`^test\.bin$`), "fine_label_names.txt"},
}

// cifarName tells whether a file of that base name belongs to either set.
func cifarName(base string) bool {
	for _, k := range cifarKinds {
		if k.train.MatchString(base) || k.test.MatchString(base) || base == k.names {
			return true
		}
	}
	return false
}

// cifarFiles are the files of a set that was found.
type cifarFiles struct {
	cifarKind
	dir                  string
	trainFiles, valFiles []*file
	namesFile            *file
}

// findCIFAR looks for a folder of the tree that holds CIFAR binaries; nil if there is none. Files called train.bin are
// too common for the name alone to count: a whole number of records must fit.
func (t *tree) findCIFAR() (*cifarFiles, error) {
	for _, kind := range cifarKinds {
		var set *cifarFiles
		for i := range t.files {
			f := &t.files[i]
			dir, base := path.Split(f.name)
			isTrain, isVal := kind.train.MatchString(base), kind.test.MatchString(base)
			if !isTrain && !isVal {
				continue
			}
			if kind.classes == 100 && f.size%int64(kind.record()) != 0 && t.lookup(dir+kind.names) == nil {
				continue
			}
			if set == nil {
				set = &cifarFiles{cifarKind: kind, dir: dir, namesFile: t.lookup(dir + kind.names)}
			} else if set.dir != dir {
				return nil, t.formatError("there are CIFAR files in %s and in %s; give one of these folders", path.Clean(set.dir), path.Clean(dir))
			}
			if isTrain {
				set.trainFiles = append(set.trainFiles, f)
			} else {
				set.valFiles = append(set.valFiles, f)
			}
		}
		if set != nil {
			return set, nil
		}
	}
	return nil, nil
}

// record returns the bytes of one image with its labels.
func (k *cifarKind) record() int { return k.labelBytes + cifarPixels }

// lookup returns the file of that name, or nil.
func (t *tree) lookup(name string) *file {
	for i := range t.files {
		if t.files[i].name == name {
			return &t.files[i]
		}
	}
	return nil
}

// openCIFAR reads the files into memory.
func (t *tree) openCIFAR(set *cifarFiles, opt Options) (*Source, error) {
	classes := numbers(set.classes)
	var notes []string
	if set.namesFile == nil {
		notes = append(notes, fmt.Sprintf("there is no %s: classes are called by their numbers", set.names))
	} else {
		b, err := t.readAll(set.namesFile, 1<<20)
		if err != nil {
			return nil, err
		}
		if classes = strings.Fields(strings.ToValidUTF8(string(b), "\uFFFD")); len(classes) != set.classes {
			return nil, corrupt(t.title(set.namesFile), "it should name %d classes, but names %d", set.classes, len(classes))
		}
	}
	left := opt.MaxMemory
	var parts [2]*recordSet
	for i, files := range [][]*file{set.trainFiles, set.valFiles} {
		if files == nil {
			continue
		}
		s := &recordSet{w: cifarSide, h: cifarSide, c: 3, planar: true, offset: set.labelBytes, stride: set.record(), classes: classes}
		total := int64(0)
		for _, f := range files {
			total += f.size
		}
		if len(files) > 1 {
			s.data = make([]uint8, 0, min(total, left))
		}
		for _, f := range files {
			b, err := t.readAll(f, left)
			if err != nil {
				return nil, err
			}
			left -= int64(len(b))
			if err := s.addCIFAR(t.title(f), b); err != nil {
				return nil, err
			}
		}
		parts[i] = s
	}
	src, err := recordSource(set.format, parts[0], parts[1], opt)
	if err != nil {
		return nil, err
	}
	src.Notes = append(notes, src.Notes...)
	return src, nil
}

// addCIFAR appends the records of one file.
func (s *recordSet) addCIFAR(title string, b []byte) error {
	if len(b) == 0 || len(b)%s.stride != 0 {
		return corrupt(title, "it should hold records of %d bytes, but has %d bytes, which is %d too many for %d records; fetch it again",
			s.stride, len(b), len(b)%s.stride, len(b)/s.stride)
	}
	n := len(b) / s.stride
	for i := range n {
		l := b[i*s.stride+s.offset-1]
		if int(l) >= len(s.classes) {
			return corrupt(title, "the label of record %d is %d, but there are %d classes, counted from 0", i, l, len(s.classes))
		}
		s.labels = append(s.labels, l)
	}
	if s.data == nil {
		s.data = b // the only file: nothing is appended to memory that the store may own
	} else {
		s.data = append(s.data, b...)
	}
	s.spans = append(s.spans, span{title, n})
	return nil
}
