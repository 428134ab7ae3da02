package zoo_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/cpu"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/zoo"
)

// curve is what scripts/curves.py has found with PyTorch, and all that is needed to find it again.
type curve struct {
	Model       string
	Input       [3]int // H, W, C
	Classes     int
	Batch       int
	Batches     int // which take turns
	LR          float32
	Momentum    float32
	WeightDecay float32 `json:"weight_decay"`
	Losses      []float64
	Tensors     []struct {
		Name  string
		Shape []int
		Bound float32 // 0: a batch norm, whose scale is 1 and whose shift is 0
	}
}

// The numbers of the tensors that are no parameters, to which the number of a batch is added.
const images, labels = 1000, 2000

// bits is the formula's hash of element i of a tensor; see scripts/curves.py.
func bits(i, tensor int) uint32 {
	x := uint32(i)*0x9E3779B1 + uint32(tensor)*0x85EBCA77
	x ^= x >> 16
	x *= 0x7FEB352D
	x ^= x >> 15
	x ^= x >> 16
	x *= 0x846CA68B
	x ^= x >> 16
	return x
}

func uniform(i, tensor int, bound float32) float32 {
	return float32(int32(bits(i, tensor)>>8)-1<<23) * (1.0 / (1 << 23)) * bound
}

// The ten-step curves guard everything below them: the tables, the gradients, the memory plan, the device, the optimiser. A mistake in any
// of these moves the loss by far more than the tolerance; rounding moves it by less than a hundredth of it (scripts/curves.py --check).
func TestTenStepsEqualPyTorch(t *testing.T) {
	for _, c := range readCurves(t) {
		t.Run(c.Model, func(t *testing.T) {
			if testing.Short() && strings.HasPrefix(c.Model, "vgg") {
				t.Skip("128 million parameters")
			}
			checkCurve(t, c, cpu.New(0), device.FP32)
		})
	}
}

func readCurves(t *testing.T) []curve {
	text, err := os.ReadFile("testdata/curves.json")
	if err != nil {
		t.Fatal(err)
	}
	var curves []curve
	if err := json.Unmarshal(text, &curves); err != nil {
		t.Fatal(err)
	}
	return curves
}

// tolerance is how far a loss may be, relative to it, from one that was computed in float32 or better. In float32 that is a hundred times what
// rounding does. The others round each factor of a product by up to 2^-11 and 2^-8 of itself. Those errors are independent, so that a score, a sum
// of many products, is off by less than that share of its usual size, which is about one, and the loss no more than its scores. From one step to
// the next the losses of the curves differ by a tenth and more.
func tolerance(p device.Precision) float64 {
	return map[device.Precision]float64{device.FP32: 1e-4, device.TF32: 1.0 / (1 << 11), device.BF16: 1.0 / (1 << 8)}[p]
}

// checkCurve trains on a device and closes it.
func checkCurve(t *testing.T, c curve, dev device.Device, p device.Precision) {
	defer dev.Close()
	dropout := 0.0
	g, err := zoo.Build(c.Model, graph.Shape{H: c.Input[0], W: c.Input[1], C: c.Input[2]}, c.Classes, zoo.Options{Dropout: &dropout})
	if err != nil {
		t.Fatal(err)
	}
	w, err := graph.NewWeights(g, dev)
	if err == nil {
		err = setWeights(g, w, c)
	}
	if err != nil {
		t.Fatal(err)
	}
	tr, err := graph.CompileTraining(g, w, graph.TrainConfig{Batch: c.Batch, Precision: p, Optimizer: graph.SGD{Momentum: c.Momentum},
		Group: func(*graph.Param) graph.Group { return graph.Group{LRScale: 1, Decay: c.WeightDecay} }})
	if err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for step, want := range c.Losses {
		x, y := c.draw(step % c.Batches)
		if err := tr.Step(x, y, step, c.LR, 0); err != nil {
			t.Fatal(err)
		}
		s, _, err := tr.Stats()
		if err != nil {
			t.Fatal(err)
		}
		d := math.Abs(float64(s.Loss)/want - 1)
		if !(d <= tolerance(p)) {
			t.Errorf("step %d: loss %.6f, PyTorch has %.6f: %.1e apart, want at most %.1e", step, s.Loss, want, d, tolerance(p))
		}
		worst = max(worst, d)
	}
	t.Logf("losses differ from PyTorch's by up to %.1e", worst)
}

// setWeights gives every parameter the values of the formula, whose elements are counted in PyTorch's order.
func setWeights(g *graph.Graph, w *graph.Weights, c curve) error {
	tensor := 0
	for _, p := range g.Params() {
		values := make([]float32, p.Len())
		switch {
		case strings.HasSuffix(p.Name, "running_var"):
			fill(values, 1)
		case !p.Stat:
			if tensor == len(c.Tensors) || c.Tensors[tensor].Name != p.Name || !slices.Equal(c.Tensors[tensor].Shape, p.Export) {
				return fmt.Errorf("parameter %d is %s with shape %v, which PyTorch does not have there", tensor, p.Name, p.Export)
			}
			bound := c.Tensors[tensor].Bound
			switch {
			case bound == 0 && strings.HasSuffix(p.Name, "weight"):
				fill(values, 1)
			case bound != 0 && p.Perm == nil:
				for i := range values {
					values[i] = uniform(i, tensor, bound)
				}
			case bound != 0:
				fromPyTorch(values, p.Dims, tensor, bound)
			}
			tensor++
		}
		if err := w.Set(p, values); err != nil {
			return err
		}
	}
	if tensor != len(c.Tensors) {
		return fmt.Errorf("%d parameters, PyTorch has %d", tensor, len(c.Tensors))
	}
	return nil
}

// fromPyTorch fills a tensor of extents dims, (K, R, S, C), that PyTorch holds as (K, C, R, S) or flattened from that.
func fromPyTorch(values []float32, dims []int, tensor int, bound float32) {
	pixels, channels := dims[1]*dims[2], dims[3]
	for i := range values {
		k, pixel, ch := i/channels/pixels, i/channels%pixels, i%channels
		values[i] = uniform((k*channels+ch)*pixels+pixel, tensor, bound)
	}
}

func fill(values []float32, v float32) {
	for i := range values {
		values[i] = v
	}
}

// draw returns batch k: images (N, H, W, C) and one-hot labels (N, classes).
func (c curve) draw(k int) (x, y []float32) {
	pixels, channels := c.Input[0]*c.Input[1], c.Input[2]
	x = make([]float32, c.Batch*pixels*channels)
	fromPyTorch(x, []int{c.Batch, c.Input[0], c.Input[1], channels}, images+k, 1)
	y = make([]float32, c.Batch*c.Classes)
	for i := range c.Batch {
		y[i*c.Classes+int(bits(i, labels+k)>>8)%c.Classes] = 1
	}
	return x, y
}
