package data

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// idxName matches the four files of MNIST and of the many sets that copy their names. The dots instead of dashes come
// from an unpacker of the original pages' era and are common.
var idxName = regexp.MustCompile(`^(train|t10k|test)[-._](images|labels)[-._]idx[13][-._]ubyte(\.gz)?$`)

// idxPart is one part of an IDX data set: a file with images and one with as many labels.
type idxPart struct{ images, labels *file }

// findIDX looks for a folder of the tree that holds IDX files. The parts are "train" and "val"; nil if there are none.
func (t *tree) findIDX() (map[string]*idxPart, error) {
	var parts map[string]*idxPart
	var dir string
	for i := range t.files {
		f := &t.files[i]
		m := idxName.FindStringSubmatch(path.Base(f.name))
		if m == nil {
			continue
		}
		if parts == nil {
			parts, dir = map[string]*idxPart{}, path.Dir(f.name)
		} else if d := path.Dir(f.name); d != dir {
			return nil, t.formatError("there are IDX files in %s and in %s; give one of these folders", dir, d)
		}
		name := "val"
		if m[1] == "train" {
			name = "train"
		}
		if parts[name] == nil {
			parts[name] = &idxPart{}
		}
		// Files are sorted, so that x comes before x.gz: where both are there, the unpacked one is used.
		switch p := parts[name]; {
		case m[2] == "images" && p.images == nil:
			p.images = f
		case m[2] == "labels" && p.labels == nil:
			p.labels = f
		}
	}
	for _, p := range parts {
		if p.images == nil {
			return nil, t.formatError("the file of the images that belong to %s is missing", p.labels.name)
		}
		if p.labels == nil {
			return nil, t.formatError("the file of the labels that belong to %s is missing", p.images.name)
		}
	}
	return parts, nil
}

// openIDX reads the parts into memory.
func (t *tree) openIDX(parts map[string]*idxPart, opt Options) (*Source, error) {
	sets := map[string]*recordSet{}
	left := opt.MaxMemory
	for _, name := range []string{"train", "val"} {
		if parts[name] == nil {
			continue
		}
		s, err := t.readIDX(parts[name], left, opt.MaxPixels)
		if err != nil {
			return nil, err
		}
		left -= int64(len(s.data))
		sets[name] = s
	}
	train, val := sets["train"], sets["val"]
	if train != nil && val != nil && (train.w != val.w || train.h != val.h) {
		return nil, corrupt(t.title(parts["val"].images), "its images are %d x %d, but those for training are %d x %d", val.w, val.h, train.w, train.h)
	}
	known := train
	if known == nil {
		known = val
	}
	classes := numberedClasses(known.labels)
	for _, s := range []*recordSet{train, val} {
		if s == nil {
			continue
		}
		s.classes = classes
		for i, l := range s.labels {
			if int(l) >= len(classes) {
				return nil, corrupt(s.labelFile, "label %d of %d is %d, but there are %d classes, counted from 0", i, len(s.labels), l, len(classes))
			}
		}
	}
	return recordSource("idx", train, val, opt)
}

// readIDX reads one part. Its classes are left open.
func (t *tree) readIDX(p *idxPart, maxMemory, maxPixels int64) (*recordSet, error) {
	arrays := make([]*idxArray, 2)
	for i, f := range []*file{p.images, p.labels} {
		raw, err := t.readAll(f, maxMemory)
		if err != nil {
			return nil, err
		}
		if arrays[i], err = parseIDX(t.title(f), raw, 3-2*i, maxMemory); err != nil {
			return nil, err
		}
	}
	images, labels := arrays[0], arrays[1]
	n, h, w := images.dims[0], images.dims[1], images.dims[2]
	if int64(h)*int64(w) > maxPixels {
		return nil, corrupt(t.title(p.images), "its images are %d x %d, but at most %d pixels are allowed", w, h, maxPixels)
	}
	if n != labels.dims[0] {
		return nil, corrupt(t.title(p.images), "it has %d images, but %s has %d labels", n, p.labels.name, labels.dims[0])
	}
	s := &recordSet{
		w: w, h: h, c: 1, stride: h * w, data: images.data,
		labels: labels.data, labelFile: t.title(p.labels),
	}
	s.spans = []span{{title: t.title(p.images), n: n}}
	return s, nil
}

// numberedClasses names the classes that labels count: as many as there are different labels if those are 0, 1, 2, ...,
// and ten otherwise, since a part of MNIST may lack a digit. The names are numbers because an IDX file has none.
func numberedClasses(labels []uint8) []string {
	var seen [256]bool
	for _, l := range labels {
		seen[l] = true
	}
	n := 0
	for n < len(seen) && seen[n] {
		n++
	}
	for _, later := range seen[n:] {
		if later {
			n = 10
		}
	}
	return numbers(max(n, 2))
}

// numbers returns "0", "1", ..., n of them.
func numbers(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}

// knownName tells whether a file of that name belongs to one of the binary formats.
func knownName(name string) bool {
	base := path.Base(name)
	return idxName.MatchString(base) || cifarName(base) || strings.HasPrefix(base, "batches.meta")
}

// span names a run of records that come from one file.
type span struct {
	title string
	n     int
}

func (s span) name(i int) string { return fmt.Sprintf("%s[%d]", s.title, i) }
