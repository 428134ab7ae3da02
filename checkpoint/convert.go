package checkpoint

import (
	"errors"
	"fmt"
	"io"
)

// Convert writes the tensors and the metadata of f to a safetensors file at path, atomically and with digests. Names,
// types, shapes and every bit of the elements stay. The tensors are streamed: memory is needed for one at a time, and
// only for those that are not row-major in the file.
func Convert(f *File, path string) error {
	tensors := make([]Tensor, 0, len(f.tensors))
	for _, t := range f.tensors {
		tensors = append(tensors, Tensor{
			Name: t.Name, DType: t.DType, Shape: t.Shape,
			Open: func() (io.Reader, error) { return f.Raw(t.Name) },
		})
	}
	metadata := f.Metadata()
	if f.checksums || metadata[DigestsKey] != "" {
		// Digests of the copy say nothing about a source that was damaged before.
		if err := f.Verify(); err != nil {
			return err
		}
	}
	if metadata["format"] == "" {
		metadata["format"] = "pt" // Hugging Face's libraries refuse files that do not say whose layout they have
	}
	err := Write(path, tensors, metadata)
	if errors.Is(err, ErrTensor) { // a name that safetensors cannot have
		err = fmt.Errorf("%w: %w", err, ErrFormat)
	}
	if err != nil {
		return fmt.Errorf("converting %s: %w", f.path, err)
	}
	return nil
}
