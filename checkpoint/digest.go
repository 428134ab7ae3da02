package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
)

// DigestsKey is the metadata entry that holds the digests, as a JSON object of strings. Write owns it.
const DigestsKey = "cnnctl.digests"

// A digest is the first 64 bits of SHA-256, as 16 hexadecimal digits. A checksum would find damage as well; a
// cryptographic hash also tells whether two runs ended with the same weights, which is what "resumed equals not killed"
// is compared by, and with the processor's SHA instructions it is faster than any disk. 64 bits keep the header short
// and make an accidental match a matter of 2^-64.
const digestHex = 16

// digester returns a hash that has already consumed the element type and the shape, so that a header that was altered to
// another shape of the same size does not pass.
func digester(d DType, shape []int) hash.Hash {
	h := sha256.New()
	fmt.Fprintf(h, "%s%v\n", d, shape)
	return h
}

func digestString(h hash.Hash) string {
	return hex.EncodeToString(h.Sum(nil))[:digestHex]
}

// metadataDigest covers every metadata entry except the digests themselves. The lengths keep ("a", "bc") apart from
// ("ab", "c").
func metadataDigest(metadata map[string]string) string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		if key != DigestsKey {
			fmt.Fprintf(h, "%d %s%d %s", len(key), key, len(metadata[key]), metadata[key])
		}
	}
	return digestString(h)
}

// Digests returns the digests that are stored in the file, by tensor name and "__metadata__", or an error that wraps
// ErrNoDigests.
func (f *File) Digests() (map[string]string, error) {
	text, ok := f.metadata[DigestsKey]
	if !ok {
		return nil, fmt.Errorf("%s: want digests in its metadata under %q, got none; only files that cnnctl wrote have them: %w", f.path, DigestsKey, ErrNoDigests)
	}
	var digests map[string]string
	if err := json.Unmarshal([]byte(text), &digests); err != nil {
		return nil, corruptf(f.path, "want digests as a JSON object of strings, got: %v", err)
	}
	return digests, nil
}

// TensorDigest reads a tensor and returns its digest.
func (f *File) TensorDigest(name string) (string, error) {
	t, err := f.Info(name)
	if err != nil {
		return "", err
	}
	h := digester(t.DType, t.Shape)
	err = f.stream(t, func(b []byte) error {
		h.Write(b) // never fails, by the contract of hash.Hash
		return nil
	})
	if err != nil {
		return "", err
	}
	return digestString(h), nil
}

// Verify reads the whole file and compares every tensor and the metadata with the digests stored in it, or, in a zip
// archive of PyTorch, every tensor with its checksum. It returns nil, an error that wraps ErrCorrupt and names the first
// tensor that differs, or one that wraps ErrNoDigests.
func (f *File) Verify() error {
	if f.stored != nil {
		return f.stored.Verify()
	}
	if f.checksums {
		for _, t := range f.tensors {
			if err := f.verifyStorage(t); err != nil {
				return err
			}
		}
		return nil
	}
	want, err := f.Digests()
	if err != nil {
		return err
	}
	if got := metadataDigest(f.metadata); got != want[metadataKey] {
		return corruptf(f.path, "metadata: want digest %s, got %s", orNone(want[metadataKey]), got)
	}
	for _, t := range f.tensors {
		got, err := f.TensorDigest(t.Name)
		if err != nil {
			return err
		}
		if got != want[t.Name] {
			return corruptf(f.path, "tensor %q: want digest %s, got %s", t.Name, orNone(want[t.Name]), got)
		}
	}
	if len(want) != len(f.tensors)+1 {
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if _, ok := f.index[name]; !ok && name != metadataKey {
				return corruptf(f.path, "tensor %q: want it, because it has a digest, got nothing", name)
			}
		}
	}
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

// Digest returns the SHA-256 of the whole file in hexadecimal, as sha256sum prints it.
func (f *File) Digest() (string, error) {
	h := sha256.New()
	if _, err := io.CopyBuffer(h, io.NewSectionReader(f.r, 0, f.size), make([]byte, chunkBytes)); err != nil {
		return "", fmt.Errorf("%s: computing the digest: %w", f.path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
