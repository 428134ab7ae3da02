package data

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// openFolder reads a tree of images.
func (t *tree) openFolder(opt Options) (*Source, error) {
	images, notes, err := t.images()
	if err != nil {
		return nil, err
	}
	if len(images) == 0 {
		return nil, t.formatError("none of its %d files is an image", len(t.files))
	}
	l, err := t.layout(images)
	if err != nil {
		return nil, err
	}
	src := &Source{Format: "folder", Notes: slices.Concat(notes, l.notes, opt.JPEG.notes())}
	h := sha256.New()
	fmt.Fprintf(h, "folder %q\n", l.classes)
	for part, samples := range [][]sample{l.train, l.val} {
		if samples == nil {
			continue
		}
		set := &imageSet{tree: t, classes: l.classes, samples: samples, decoder: opt.decoder()}
		for _, s := range samples {
			f := &t.files[s.file]
			fmt.Fprintf(h, "%d %q %d %d\n", part, f.name, f.size, s.label)
		}
		if part == 0 {
			src.Train = set
		} else {
			src.Val = set
		}
	}
	if src.Val == nil {
		if err := src.split(opt); err != nil {
			return nil, fmt.Errorf("%s: %w", t.path, err)
		}
		fmt.Fprintf(h, "split %v %d\n", opt.ValSplit, opt.Seed)
	}
	src.Digest = hex.EncodeToString(h.Sum(nil))
	return src, nil
}

// images returns the files of t that are images. A file whose name ends like an image's counts as one without being
// looked into, so that a large folder opens fast; should it be none, Read says so. Of the others the content decides.
func (t *tree) images() (images []int32, notes []string, err error) {
	var buf []byte
	var others []string
	n := 0
	for i := range t.files {
		f := &t.files[i]
		is := imageEnding(f.name)
		if !is && f.size > 0 {
			head, err := t.store.read(f, 32, &buf)
			if err != nil {
				return nil, nil, readError(t.title(f), err)
			}
			is = imageType(head) != ""
		}
		if is {
			images = append(images, int32(i))
			continue
		}
		if n++; n <= 3 {
			others = append(others, f.name)
		}
	}
	if n > len(others) {
		others = append(others, "...")
	}
	if n > 0 {
		notes = append(notes, fmt.Sprintf("left out %d files that are no images: %s", n, strings.Join(others, ", ")))
	}
	return images, notes, nil
}

// imageSet decodes the images of a tree on demand.
type imageSet struct {
	tree    *tree
	classes []string
	samples []sample
	decoder Decoder
}

func (s *imageSet) Len() int          { return len(s.samples) }
func (s *imageSet) Classes() []string { return s.classes }
func (s *imageSet) Label(i int) int   { return int(s.samples[i].label) }
func (s *imageSet) Channels() int     { return 3 }
func (s *imageSet) Name(i int) string { return s.tree.title(s.file(i)) }

func (s *imageSet) file(i int) *file { return &s.tree.files[s.samples[i].file] }

// encoded recycles the memory of undecoded images.
var encoded = sync.Pool{New: func() any { return new([]byte) }}

func (s *imageSet) Read(i int, m *Image) error { return s.ReadReduced(i, m, nil) }

// ReadReduced implements Reducer.
func (s *imageSet) ReadReduced(i int, m *Image, reduce func(w, h int) int) error {
	f := s.file(i)
	// No format needs more than 16 bits for each of four channels and some text.
	if most := 8*s.decoder.MaxPixels + 16<<20; f.size > most {
		return corrupt(s.Name(i), "the file has %d bytes, more than an image of %d pixels can have", f.size, s.decoder.MaxPixels)
	}
	buf := encoded.Get().(*[]byte)
	defer encoded.Put(buf)
	b, err := s.tree.store.read(f, f.size, buf)
	if err != nil {
		return readError(s.Name(i), err)
	}
	if err := s.decoder.Decode(b, m, reduce); err != nil {
		return fmt.Errorf("%s: %w", s.Name(i), err)
	}
	return nil
}
