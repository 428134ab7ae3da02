package data

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// Defaults of Options.
const (
	DefaultValSplit  = 0.15
	DefaultMaxPixels = 100_000_000
	DefaultMaxMemory = 2 << 30
)

// Options says how Open reads a data set. The zero value asks for the defaults.
type Options struct {
	// ValSplit is the share of each class, in (0, 1), that becomes the validation part where the data set has none.
	// 0 means DefaultValSplit.
	ValSplit float64
	// Seed draws that split; the same seed and the same files give the same split.
	Seed uint64
	// MaxPixels bounds width times height of an image; larger ones are corrupt. 0 means DefaultMaxPixels.
	MaxPixels int64
	// MaxMemory bounds, in bytes, what Open keeps in memory: the pixels of IDX and CIFAR files, and the (still encoded)
	// images of a compressed tar. Folders, .zip and plain .tar are read in place. 0 means DefaultMaxMemory.
	MaxMemory int64
	// JPEG is what decodes JPEG files.
	JPEG JPEG
	// SkipCorrupt is how many corrupt samples are tolerated, over both parts; see Tolerance. 0 tolerates none.
	SkipCorrupt int
}

func (o Options) withDefaults() (Options, error) {
	switch {
	case !(o.ValSplit >= 0 && o.ValSplit < 1): // written so that NaN fails too
		return o, fmt.Errorf("%w: the validation share must lie between 0 and 1, not %v", ErrOption, o.ValSplit)
	case o.MaxPixels < 0 || o.MaxPixels > 1<<40: // no image format goes beyond; small enough to multiply
		return o, fmt.Errorf("%w: the largest number of pixels must lie between 1 and 2^40, but is %d", ErrOption, o.MaxPixels)
	case o.MaxMemory < 0:
		return o, fmt.Errorf("%w: the memory bound must be positive, not %d", ErrOption, o.MaxMemory)
	case o.JPEG != "" && !slices.Contains(JPEGs, o.JPEG):
		return o, fmt.Errorf("%w: the JPEG decoder must be one of %v, not %q", ErrOption, JPEGs, o.JPEG)
	case o.SkipCorrupt < 0:
		return o, fmt.Errorf("%w: the number of tolerated samples must not be negative, but is %d", ErrOption, o.SkipCorrupt)
	}
	if o.ValSplit == 0 {
		o.ValSplit = DefaultValSplit
	}
	if o.MaxPixels == 0 {
		o.MaxPixels = DefaultMaxPixels
	}
	if o.MaxMemory == 0 {
		o.MaxMemory = DefaultMaxMemory
	}
	return o, nil
}

func (o Options) decoder() Decoder { return Decoder{MaxPixels: o.MaxPixels, JPEG: o.JPEG} }

// Open reads the data set at path: a folder or an archive (.tar, .tar.gz, .zip, told by their content) that holds
//
//   - IDX files by their usual names (train-images-idx3-ubyte, t10k-labels-idx1-ubyte.gz, ...), up to any depth;
//     t10k is the validation part;
//   - the binary form of CIFAR-10 (data_batch_1.bin, ..., test_batch.bin) or CIFAR-100 (train.bin, test.bin, with its
//     fine labels);
//   - images as train/<class>/* with or without val/<class>/* (also valid, validation, test), or as <class>/*.
//
// Where there is no validation part, a seeded draw takes Options.ValSplit of each class. Errors wrap ErrFormat if path
// holds no data set, ErrCorrupt if it holds a damaged one, ErrOption for bad options; others are I/O errors.
// The caller must Close the source.
func Open(path string, opt Options) (*Source, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	t, err := openTree(path, opt.MaxMemory)
	if err != nil {
		return nil, err
	}
	src, err := t.source(opt)
	if err != nil {
		return nil, errors.Join(err, t.store.Close())
	}
	src.Format += t.suffix
	src.Notes = append(t.notes, src.Notes...)
	src.close = t.store.Close
	if opt.SkipCorrupt > 0 {
		src.skips = NewTolerance(opt.SkipCorrupt)
		if src.Train != nil {
			src.Train = src.skips.Wrap(src.Train)
		}
		src.Val = src.skips.Wrap(src.Val)
	}
	return src, nil
}

// source finds out which format the files of t are in.
func (t *tree) source(opt Options) (*Source, error) {
	if len(t.files) == 0 {
		return nil, t.formatError("it is empty")
	}
	if parts, err := t.findIDX(); err != nil {
		return nil, err
	} else if parts != nil {
		return t.openIDX(parts, opt)
	}
	if set, err := t.findCIFAR(); err != nil {
		return nil, err
	} else if set != nil {
		return t.openCIFAR(set, opt)
	}
	return t.openFolder(opt)
}

const understood = "a data set is a folder, .tar, .tar.gz or .zip with IDX files (train-images-idx3-ubyte, ...), " +
	"CIFAR binaries (data_batch_1.bin or train.bin, ...) or images as <class>/* or train/<class>/* and val/<class>/*"

// formatError says why path holds no data set, and what would be one.
func formatError(path, format string, args ...any) error {
	return fmt.Errorf("%s: %w: %s; %s", path, ErrFormat, fmt.Sprintf(format, args...), understood)
}

func (t *tree) formatError(format string, args ...any) error {
	return formatError(t.path, format, args...)
}

// corrupt says what is wrong with the bytes of the file or sample of that name.
func corrupt(name, format string, args ...any) error {
	return fmt.Errorf("%s: %w: %s", name, ErrCorrupt, fmt.Sprintf(format, args...))
}

// readError tells bad bytes from a failing disk: the operating system's errors are PathErrors, and everything else
// that comes out of a decoder is about the bytes.
func readError(name string, err error) error {
	var pathErr *fs.PathError
	switch {
	case errors.As(err, &pathErr):
		return fmt.Errorf("cannot read %s: %w", name, err)
	case errors.Is(err, ErrCorrupt):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return corrupt(name, "it ends too early; fetch or copy it again")
	}
	return corrupt(name, "%s", strings.TrimSpace(err.Error()))
}
