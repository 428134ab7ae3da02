package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVerifyNamesTheTensor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	err := Write(path, []Tensor{
		{Name: "conv1.weight", Shape: []int{2, 3}, Data: normals(6, 0)},
		{Name: "fc.weight", Shape: []int{4, 5}, Data: normals(20, 1)},
	}, map[string]string{"epoch": "3"})
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name     string
		old, new string // replaced in the file; old == "" flips the last byte
		about    string
	}{
		{"untouched", "2,3", "2,3", ""},
		{"data", "", "", `"fc.weight"`},
		{"shape", "[2,3]", "[3,2]", `"conv1.weight"`},
		{"type", `"F32","shape":[2,3]`, `"I32","shape":[2,3]`, `"conv1.weight"`},
		{"name", `"conv1.weight":{`, `"conv9.weight":{`, `"conv9.weight"`},
		{"metadata", `"epoch":"3"`, `"epoch":"7"`, "metadata"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			bad := []byte(strings.Replace(string(good), c.old, c.new, 1))
			if c.old == "" {
				bad = append([]byte{}, good...)
				bad[len(bad)-1] ^= 1
			}
			f, err := openBytes(bad)
			if err != nil {
				t.Fatal(err)
			}
			err = f.Verify()
			if c.about == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), c.about) {
				t.Errorf("got %v, want ErrCorrupt with %s", err, c.about)
			}
		})
	}
}

func TestVerifyNoticesMissingTensors(t *testing.T) {
	f, err := openBytes(raw(`{"__metadata__":{"cnnctl.digests":"{\"__metadata__\":\"e3b0c44298fc1c14\",\"gone\":\"00\"}"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Verify(); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), `"gone"`) {
		t.Errorf("got %v, want ErrCorrupt with the missing tensor", err)
	}
}

func TestVerifyWithoutDigests(t *testing.T) {
	f, err := openBytes(raw(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Verify(); !errors.Is(err, ErrNoDigests) {
		t.Errorf("got %v, want ErrNoDigests", err)
	}
	f, err = openBytes(raw(`{"__metadata__":{"cnnctl.digests":"[1"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Verify(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("broken digests: got %v, want ErrCorrupt", err)
	}
}

func TestFileDigest(t *testing.T) {
	b := raw(`{}      `)
	f, err := openBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	if got, err := f.Digest(); err != nil || got != hex.EncodeToString(sum[:]) {
		t.Errorf("got %s, %v", got, err)
	}
}
