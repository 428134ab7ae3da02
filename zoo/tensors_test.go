package zoo_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/zoo"
)

// Every network consists of the tensors that torchvision's of that name does, in the same order and with the same shapes, and the CIFAR ResNets of
// those of the published checkpoints (scripts/logits.py --tensors).
func TestTensorsEqualPyTorch(t *testing.T) {
	text, err := os.ReadFile("testdata/tensors.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Model           string
		Tensors, Params int
		SHA256          string
	}
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 20 {
		t.Errorf("got %d networks, want 20", len(rows))
	}
	for _, row := range rows {
		info, err := zoo.Lookup(row.Model)
		if err != nil {
			t.Error(err)
			continue
		}
		g, err := zoo.Build(row.Model, info.Input, info.Classes, zoo.Options{})
		if err != nil {
			t.Error(err)
			continue
		}
		h := sha256.New()
		for _, p := range g.Params() {
			fmt.Fprintf(h, "%s %s\n", p.Name, strings.ReplaceAll(fmt.Sprint(p.Export), " ", ", "))
		}
		params, _ := g.NumParams()
		if n := len(g.Params()); n != row.Tensors || params != row.Params {
			t.Errorf("%s: %d tensors with %d parameters, PyTorch has %d with %d", row.Model, n, params, row.Tensors, row.Params)
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != row.SHA256 {
			t.Errorf("%s: the names or shapes of its tensors are not PyTorch's", row.Model)
		}
	}
}
