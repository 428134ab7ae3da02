package zoo_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/zoo"
)

// shared returns a path in the folder of test data beside the repository, and skips the test where it is absent.
func shared(t *testing.T, path string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		t.Fatal("no go.mod above the working directory")
	}
	path = filepath.Join(filepath.Dir(dir), "shared", path)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("without test data: %v", err)
	}
	return path
}

// torchvisionKeys reads "name<tab>[shape]" lines by model.
func torchvisionKeys(t *testing.T) map[string][]string {
	f, err := os.Open(shared(t, "spec/torchvision_keys.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	keys := map[string][]string{}
	model := ""
	for s := bufio.NewScanner(f); s.Scan(); {
		line := s.Text()
		if name, ok := strings.CutPrefix(line, "# "); ok {
			model, _, _ = strings.Cut(name, ":")
		} else if line != "" {
			keys[model] = append(keys[model], line)
		}
	}
	return keys
}

func TestTensorsEqualTorchvision(t *testing.T) {
	keys := torchvisionKeys(t)
	for _, name := range []string{"alexnet", "vgg16", "vgg19", "vgg16_bn", "vgg19_bn", "resnet18", "resnet50", "squeezenet1_0", "squeezenet1_1", "mobilenet_v2"} {
		t.Run(name, func(t *testing.T) {
			// PyTorch's batch counter is no tensor of a network: it is only read where there is no momentum.
			want := slices.DeleteFunc(slices.Clone(keys[name]), func(line string) bool { return strings.Contains(line, "num_batches_tracked") })
			if len(want) == 0 {
				t.Fatal("the list of tensors does not have this model")
			}
			g, err := zoo.Build(name, graph.Shape{H: 224, W: 224, C: 3}, 1000, zoo.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range g.Params() {
				got = append(got, p.Name+"\t"+strings.ReplaceAll(fmt.Sprint(p.Export), " ", ", "))
			}
			if len(got) != len(want) {
				t.Fatalf("%d tensors, want %d", len(got), len(want))
			}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("tensor %d is %q, want %q", i, got[i], want[i])
				}
			}
		})
	}
}
