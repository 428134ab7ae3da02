package train

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/cpu"
	"github.com/cnnctl/cnnctl/graph"
)

// A network of one large layer, loaded in a process of its own: the peak of memory is less than a fifth above the weights, although each row of
// the layer is permuted on its way (VGG-16 has three quarters of its weights in such a layer).
func TestPeakMemoryOfLoading(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds, and depends on nothing that varies between builds")
	}
	g := graph.New(graph.Shape{H: 7, W: 7, C: 512})
	x := g.Add("flatten", graph.Flatten{}, g.Input())
	g.Add("fc", graph.Linear{Out: 1024}, x)
	size, _ := g.NumParams()
	size *= 4
	if path := os.Getenv("CNNCTL_TEST_PEAK"); path != "" {
		fmt.Println(loadPeak(t, g, path))
		return
	}
	path := filepath.Join(t.TempDir(), "fc.safetensors")
	var tensors []checkpoint.Tensor
	for _, p := range g.Params() {
		zeros := make([]byte, 4*p.Len())
		tensors = append(tensors, checkpoint.Tensor{Name: p.Name, DType: checkpoint.F32, Shape: p.Export,
			Open: func() (io.Reader, error) { return bytes.NewReader(zeros), nil }})
	}
	if err := checkpoint.Write(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestPeakMemoryOfLoading$")
	cmd.Env = append(os.Environ(), "CNNCTL_TEST_PEAK="+path)
	out, err := cmd.CombinedOutput()
	var used int
	if _, scanErr := fmt.Sscan(string(out), &used); err != nil || scanErr != nil {
		t.Fatalf("%v, %v: %s", err, scanErr, out)
	}
	t.Logf("%.3f times the weights", float64(used)/float64(size))
	if float64(used) > 1.2*float64(size) {
		t.Errorf("loading %d bytes took %d more of memory at the peak, want at most a fifth more", size, used)
	}
}

// loadPeak returns by how many bytes the peak of the process has grown.
func loadPeak(t *testing.T, g *graph.Graph, path string) int64 {
	peak := func() int64 {
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		_, rest, ok := strings.Cut(string(status), "VmHWM:")
		var kib int64
		if _, err := fmt.Sscan(rest, &kib); !ok || err != nil { // some sandboxes leave it out
			t.Skip("the system does not report the peak of memory")
		}
		return kib << 10
	}
	dev := cpu.New(1)
	defer dev.Close()
	before := peak()
	f, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := graph.NewWeights(g, dev)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&Checkpoint{file: f}).load(w); err != nil {
		t.Fatal(err)
	}
	return peak() - before
}
