package checkpoint

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/cnnctl/cnnctl/philox"
)

// sharedData returns the folder of real files beside the repository, or skips the test.
func sharedData(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
	data := filepath.Join(filepath.Dir(dir), "shared", "data")
	if _, err := os.Stat(data); err != nil {
		t.Skip("the real files of ../shared/data are absent")
	}
	return data
}

// raw builds a safetensors file from a header and data, without any check.
func raw(header string, data ...byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func openBytes(b []byte) (*File, error) {
	return New(bytes.NewReader(b), int64(len(b)), "test.safetensors")
}

// normals returns n draws that depend on the index only.
func normals(n, index int) []float32 {
	s := philox.New(1, philox.Test, index, 0)
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(s.Uint32())/math.MaxUint32 - 0.5
	}
	return x
}
