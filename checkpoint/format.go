package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// A container reads the header of a file of one format: it fills the file's tensors and metadata. Key is that of OpenKey.
// Of its errors, those that wrap ErrFormat or ErrNoTensor are refusals, a *readError is the disk's, and all others mean
// damage; none names the file.
type container func(f *File, key string) error

func safetensors(f *File, key string) error {
	if key != "" {
		return fmt.Errorf("want a PyTorch file, which may have a dictionary %q, got safetensors, which have none: %w", key, ErrNoTensor)
	}
	return f.readSafetensors()
}

// recognise tells the formats apart by their first bytes. Those that are not read but that users have at hand are refused
// by name, because "corrupt" would be the wrong thing to say of them.
func recognise(r io.ReaderAt) (container, error) {
	const tarMagic = 257 // offset of "ustar"
	var head [tarMagic + 5]byte
	n, err := r.ReadAt(head[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, &readError{err}
	}
	start := string(head[:n])
	// A safetensors file starts with the length of its header, whose upper bytes are zero because of the limit, and a
	// brace. That can look like the start of a zip archive but for the brace, and like that of a pickle.
	maybeLength := n < 8 || le.Uint64(head[:8]) <= maxHeader
	switch {
	case maybeLength && n > 8 && head[8] == '{':
		return safetensors, nil
	case strings.HasPrefix(start, "PK\x03\x04"):
		return (*File).readZip, nil
	case maybeLength:
		return safetensors, nil
	case start[0] == opProto && start[1] <= maxProtocol:
		return (*File).readLegacy, nil
	case n == len(head) && start[tarMagic:] == "ustar":
		return nil, fmt.Errorf("it is a tar archive, as PyTorch wrote before 0.1.10 (2017); load it in PyTorch and torch.save it again: %w", ErrFormat)
	}
	known := []struct{ prefix, format string }{
		{"PK\x05\x06", "an empty zip archive"},
		{"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras?)"},
		{"\x93NUMPY", "a NumPy array"},
		{"GGUF", "a GGUF file"},
		{"\x1f\x8b", "a gzip file"},
	}
	for _, k := range known {
		if strings.HasPrefix(start, k.prefix) {
			return nil, fmt.Errorf("want a safetensors or PyTorch file, got %s; convert it with Python's safetensors package: %w", k.format, ErrFormat)
		}
	}
	return safetensors, nil
}
