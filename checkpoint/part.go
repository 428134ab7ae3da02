package checkpoint

import "fmt"

// Float32sAt reads a part of a tensor into dst, from its element at on in row-major order: one row of many, without the rest. It is for the
// tensors of safetensors files; those of PyTorch files may lie in any order, and give an error that wraps ErrFormat.
func (f *File) Float32sAt(name string, at int, dst []float32) error {
	t, err := f.Info(name)
	if err != nil {
		return err
	}
	if !t.DType.IsFloat() || t.storage != nil || t.view != nil {
		return fmt.Errorf("%s: tensor %q: want floating-point elements of a safetensors file to read a part of, got %s: %w", f.path, name, t.DType, ErrFormat)
	}
	if at < 0 || at > t.Elems()-len(dst) {
		return fmt.Errorf("%s: tensor %q: want a part of its %d elements, got %d from element %d on: %w", f.path, name, t.Elems(), len(dst), at, ErrTensor)
	}
	size := t.DType.Size()
	t.offset += int64(at) * int64(size)
	t.Size = int64(len(dst)) * int64(size)
	return f.stream(t, func(b []byte) error {
		n := len(b) / size
		t.DType.float32s(dst[:n], b)
		dst = dst[n:]
		return nil
	})
}
