package data

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// OpenLabelled reads the images at path, a folder or an archive in which classes have no folders, with their labels from a table: one line
// for each image, its name relative to path and its class, separated by a comma. A class is one of the names in classes or, where it is none, an index
// into them, counted from 0. Lines that begin with # are remarks, and "file,class" in the first line is a heading.
//
// The images that the table lists are the validation part, in its order; there is no training part. Errors wrap ErrFormat for a table that does not
// fit path or classes, and are otherwise those of Open. The caller must Close the source.
func OpenLabelled(path, table string, classes []string, opt Options) (*Source, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	t, err := openTree(path, opt.MaxMemory)
	if err != nil {
		return nil, err
	}
	src, err := t.openLabelled(table, classes, opt)
	if err != nil {
		return nil, errors.Join(err, t.store.Close())
	}
	src.close = t.store.Close
	return src, nil
}

func (t *tree) openLabelled(table string, classes []string, opt Options) (*Source, error) {
	file, err := os.Open(table)
	if err != nil {
		return nil, fmt.Errorf("cannot read the labels: %w", err)
	}
	defer file.Close()
	samples, err := t.readLabels(table, file, classes)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	fmt.Fprintf(h, "labelled %q\n", classes)
	for _, s := range samples {
		f := &t.files[s.file]
		fmt.Fprintf(h, "%q %d %d\n", f.name, f.size, s.label)
	}
	src := &Source{Format: "labelled" + t.suffix, Val: &imageSet{tree: t, classes: classes, samples: samples, decoder: opt.decoder()},
		Digest: hex.EncodeToString(h.Sum(nil)), Notes: slices.Concat(t.notes, opt.JPEG.notes())}
	if rest := len(t.files) - len(samples); rest > 0 {
		src.Notes = append(src.Notes, fmt.Sprintf("%d files have no line in %s and are not used", rest, table))
	}
	if opt.SkipCorrupt > 0 {
		src.skips = NewTolerance(opt.SkipCorrupt)
		src.Val = src.skips.Wrap(src.Val)
	}
	return src, nil
}

func (t *tree) readLabels(table string, r io.Reader, classes []string) ([]sample, error) {
	at := make(map[string]int32, len(t.files))
	for i := range t.files {
		at[t.files[i].name] = int32(i)
	}
	index := make(map[string]int32, len(classes))
	for i, name := range classes {
		index[name] = int32(i)
	}
	c := csv.NewReader(r)
	c.Comment, c.FieldsPerRecord, c.TrimLeadingSpace = '#', 2, true
	var samples []sample
	seen := map[int32]int{} // the line of each file
	for first := true; ; first = false {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		line, _ := c.FieldPos(0)
		bad := func(format string, args ...any) error {
			return fmt.Errorf("%s, line %d: %w: %s; wanted lines such as picture.jpg,7", table, line, ErrFormat, fmt.Sprintf(format, args...))
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %v; wanted lines such as picture.jpg,7", table, ErrFormat, err)
		}
		name, class := row[0], strings.TrimSpace(row[1])
		if first && slices.Equal(row, []string{"file", "class"}) {
			continue
		}
		f, ok := at[name]
		if !ok {
			return nil, bad("there is no file %q in %s", name, t.path)
		}
		if before := seen[f]; before > 0 {
			return nil, bad("%q has a label already, in line %d", name, before)
		}
		seen[f] = line
		label, ok := index[class]
		if !ok {
			n, err := strconv.Atoi(class)
			if err != nil || n < 0 || n >= len(classes) {
				return nil, bad("the class of %q is %q, which is neither the name of a class nor an index from 0 to %d", name, class, len(classes)-1)
			}
			label = int32(n)
		}
		samples = append(samples, sample{f, label})
	}
	if len(samples) == 0 {
		return nil, fmt.Errorf("%s: %w: it lists no images; wanted lines such as picture.jpg,7", table, ErrFormat)
	}
	return samples, nil
}
