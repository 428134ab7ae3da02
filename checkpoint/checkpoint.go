// Package checkpoint keeps named tensors on disk: it reads safetensors and PyTorch files, writes safetensors, guards every
// tensor with a digest, and replaces files atomically, so that a process that is killed while it saves leaves the old
// file or the new one and never half of either.
//
// The package knows names, shapes and numbers, not models. Tensors are row-major and little-endian; the layout of
// filters on disk is PyTorch's (O, I, H, W), and [Permute] converts it.
//
// Each container has a file of its own. All of them produce a [File], whose tensors are ranges of an io.ReaderAt, so
// that opening a checkpoint costs its header and not its weights.
package checkpoint

import (
	"errors"
	"fmt"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrCorrupt marks a file that is not what its format promises: truncated, altered, or with a header that
	// contradicts itself.
	ErrCorrupt = errors.New("corrupt checkpoint")
	// ErrFormat marks a file of a format, or a tensor of a type, that this package does not read.
	ErrFormat = errors.New("unsupported checkpoint format")
	// ErrNoTensor marks a name that the file does not hold.
	ErrNoTensor = errors.New("no such tensor")
	// ErrMismatch marks a checkpoint of another model than the one it should be loaded into.
	ErrMismatch = errors.New("checkpoint of another model")
	// ErrNoDigests marks a file without digests, as other programs write it: there is nothing to verify.
	ErrNoDigests = errors.New("checkpoint without digests")
	// ErrTensor marks a tensor that cannot be written: its name, shape and data do not fit together.
	ErrTensor = errors.New("invalid tensor")
	// ErrDiskFull marks a write that failed for want of space or quota.
	ErrDiskFull = errors.New("disk full")
	// ErrReadOnly marks a place that may not be written to.
	ErrReadOnly = errors.New("not writable")
)

// Info describes a tensor of a file.
type Info struct {
	Name  string
	DType DType
	Shape []int // empty for a scalar; the caller must not change it
	Size  int64 // bytes of all elements

	offset  int64    // of the first element, from the start of the file
	storage *storage // of PyTorch's files, else nil
	view    *view    // where the elements are not row-major without gaps, else nil
}

// Elems returns the number of elements.
func (t Info) Elems() int { return int(t.Size / int64(t.DType.Size())) }

// corruptf returns an error that wraps ErrCorrupt. The message says what was wanted and what was found.
func corruptf(path, format string, args ...any) error {
	return fmt.Errorf("%s: %s; copy, download or save the file again: %w", path, fmt.Sprintf(format, args...), ErrCorrupt)
}
