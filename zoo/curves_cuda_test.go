//go:build cuda && cgo && linux

package zoo_test

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cnnctl/cnnctl/cpu"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/gpu"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/zoo"
)

// useDriver makes the test use the CUDA driver that CNNCTL_CUDA_DRIVER names, else the emulated one, and reports whether it is that one.
func useDriver(t *testing.T) (emulated bool) {
	const variable = "CNNCTL_CUDA_DRIVER"
	if path := os.Getenv(variable); path != "" {
		return filepath.Base(path) == "libcuda-emu.so"
	}
	for _, tool := range []string{"g++", "make"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("building the emulated CUDA driver needs %s", tool)
		}
	}
	path, err := filepath.Abs("../.tools/emu/libcuda-emu.so")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("make", "-C", "../kernels", "emu", "EMU="+path).CombinedOutput(); err != nil {
		t.Fatalf("building the emulated CUDA driver: %v\n%s", err, out)
	}
	t.Setenv(variable, path)
	return true
}

func openGPU(t *testing.T) device.Device {
	t.Helper()
	dev, err := gpu.Open(0)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// The curve of LeNet-5 holds on CUDA too, in every precision. On the emulated driver larger networks would take hours.
func TestTenStepsOnCUDAEqualPyTorch(t *testing.T) {
	emulated := useDriver(t)
	for _, c := range readCurves(t) {
		if c.Model != "lenet5" && emulated {
			continue
		}
		for p := device.FP32; p <= device.BF16; p++ {
			t.Run(fmt.Sprintf("%s in %v", c.Model, p), func(t *testing.T) { checkCurve(t, c, openGPU(t), p) })
		}
	}
}

// oneOfEach is a small network with the layers that LeNet-5 and the residual networks lack.
func oneOfEach() *graph.Graph {
	window := func(size, stride, pad int) graph.Window {
		return graph.Window{Size: [2]int{size}, Stride: [2]int{stride}, Pad: graph.Pad(pad)}
	}
	g := graph.New(graph.Shape{H: 9, W: 9, C: 3})
	x := g.Add("stem", graph.Conv2D{Filters: 16, Window: window(3, 1, 1)}, g.Input())
	x = g.Add("relu", graph.ReLU(), x)
	x = g.Add("lrn", graph.LRN{Size: 5, K: 2, Alpha: 0.1, Beta: 0.75}, x)
	x = g.Add("pool", graph.MaxPool{Window: window(3, 2, 0)}, x)
	deep := g.Add("deep", graph.Conv2D{Filters: 16, Window: window(3, 1, 1), Groups: 16, NoBias: true}, x)
	deep = g.Add("deep.bn", graph.BatchNorm{}, deep)
	deep = g.Add("deep.relu6", graph.ReLU6(), deep)
	two := g.Add("two", graph.Conv2D{Filters: 6, Window: window(3, 1, 1), Groups: 2}, x)
	two = g.Add("two.sigmoid", graph.Sigmoid(), two)
	x = g.Add("concat", graph.Concat{}, deep, two, x)
	x = g.Add("average", graph.AdaptiveAvgPool{P: 2, Q: 2}, x)
	x = g.Add("dropout", graph.Dropout{P: 0.25}, x)
	g.Add("head", graph.Linear{Out: 4}, x)
	return g
}

// Networks with the layers that LeNet-5 lacks take the steps on CUDA that they take on the CPU: batch norm, residual connections and their shortcuts,
// depthwise convolutions, concatenation, local response normalisation.
func TestStepsOnCUDAEqualTheCPU(t *testing.T) {
	useDriver(t)
	resnet, err := zoo.Build("resnet20", graph.Shape{H: 8, W: 8, C: 3}, 4, zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct {
		name   string
		g      *graph.Graph
		lr     float32
		layers float64 // those that round what they pass on: such errors add up like their square root
	}{
		{"one of each", oneOfEach(), 0.01, 1},
		{"resnet20", resnet, 1e-4, 20}, // with larger steps it learns the batch by heart, and the loss vanishes
	} {
		want := losses(t, m.g, cpu.New(0), device.FP32, m.lr)
		for p := device.FP32; p <= device.BF16; p++ {
			t.Run(fmt.Sprintf("%s in %v", m.name, p), func(t *testing.T) {
				most := tolerance(p) * math.Sqrt(m.layers)
				for i, loss := range losses(t, m.g, openGPU(t), p, m.lr) {
					d := math.Abs(loss/want[i] - 1)
					if !(d <= most) {
						t.Errorf("step %d: loss %.6f, on the CPU %.6f: %.1e apart, want at most %.1e", i, loss, want[i], d, most)
					}
					t.Logf("step %d: loss %.6f, %.1e apart", i, loss, d)
				}
			})
		}
	}
}

// losses trains for three steps on one batch of four images and closes the device.
func losses(t *testing.T, g *graph.Graph, dev device.Device, p device.Precision, lr float32) []float64 {
	t.Helper()
	defer dev.Close()
	w, err := graph.NewWeights(g, dev)
	if err == nil {
		err = w.Init(1)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := curve{Input: [3]int{g.Input().Out.H, g.Input().Out.W, g.Input().Out.C}, Classes: g.Output().Out.Size(), Batch: 4}
	tr, err := graph.CompileTraining(g, w, graph.TrainConfig{Batch: c.Batch, Precision: p, Optimizer: graph.SGD{Momentum: 0.9}})
	if err != nil {
		t.Fatal(err)
	}
	x, y := c.draw(0)
	var list []float64
	for step := range 3 {
		if err := tr.Step(x, y, step, lr, 0); err != nil {
			t.Fatal(err)
		}
		s, _, err := tr.Stats()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, float64(s.Loss))
	}
	return list
}
