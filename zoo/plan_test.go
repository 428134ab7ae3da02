package zoo_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/cpu"
	"github.com/cnnctl/cnnctl/cpu/ref"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/zoo"
)

// plans calls f for training and evaluation of every model at several batch sizes, planned for dev.
func plans(t *testing.T, dev device.Device, f func(t *testing.T, p *graph.Plan)) {
	for _, m := range zoo.Models() {
		g, err := zoo.Build(m.Name, m.Input, m.Classes, zoo.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, batch := range []int{1, 3, 32, 256} {
			training, err := graph.PlanTraining(g, dev, graph.TrainConfig{Batch: batch, Optimizer: graph.SGD{Momentum: 0.9}})
			if err != nil {
				t.Fatal(err)
			}
			inference, err := graph.PlanInference(g, dev, graph.InferConfig{Batch: batch})
			if err != nil {
				t.Fatal(err)
			}
			t.Run(fmt.Sprintf("%s/training %d", m.Name, batch), func(t *testing.T) { f(t, training) })
			t.Run(fmt.Sprintf("%s/evaluation %d", m.Name, batch), func(t *testing.T) { f(t, inference) })
		}
	}
}

// No arena can be smaller than the largest sum of what is alive at one time; none here is more than 5 % larger, with kernels that
// need scratch memory or without, but for one of AlexNet, where the scratch memory of the first layer leaves a gap.
func TestArenaIsNearItsLowerBound(t *testing.T) {
	dev := cpu.New(1)
	defer dev.Close()
	for _, dev := range []device.Device{ref.New(), dev} {
		t.Run(dev.Name(), func(t *testing.T) {
			plans(t, dev, func(t *testing.T, p *graph.Plan) {
				if p.Peak <= 0 || p.Arena < p.Peak {
					t.Fatalf("arena of %d bytes, peak %d", p.Arena, p.Peak)
				}
				most := 0.05
				if strings.HasSuffix(t.Name(), "/alexnet/evaluation_1") {
					most = 0.06
				}
				if over := float64(p.Arena)/float64(p.Peak) - 1; over > most {
					t.Errorf("arena of %d bytes, %.1f %% over the peak of %d", p.Arena, 100*over, p.Peak)
				}
				if got := p.Memory.Activations + p.Memory.Workspace; got != p.Arena {
					t.Errorf("%d bytes of activations and %d of workspace, the arena has %d", p.Memory.Activations, p.Memory.Workspace, p.Arena)
				}
			})
		})
	}
}

// What a network takes, where it can be counted by hand: VGG-16's activations for training are its convolutions' outputs, the positions of
// the pooling layers and the gradients of the two largest neighbours.
func TestMemoryOfVGG16(t *testing.T) {
	g, err := zoo.Build("vgg16", graph.Shape{H: 224, W: 224, C: 3}, 1000, zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := graph.PlanTraining(g, ref.New(), graph.TrainConfig{Batch: 1, Optimizer: graph.SGD{Momentum: 0.9}})
	if err != nil {
		t.Fatal(err)
	}
	m := p.Memory
	const weights = 4 * 138_357_544
	for _, c := range []struct {
		name string
		got  int64
	}{{"weights", m.Weights}, {"gradients", m.Gradients}, {"optimiser state", m.Optimizer}} {
		if c.got < weights || c.got > weights+32*device.Align {
			t.Errorf("%d bytes of %s, want %d and at most an alignment for each tensor", c.got, c.name, weights)
		}
	}
	var outputs int64 // of convolutions; ReLUs are in place
	for _, n := range g.Nodes() {
		if _, ok := n.Op.(graph.Conv2D); ok {
			outputs += 4 * int64(n.Out.Size())
		}
	}
	if m.Activations < outputs || m.Activations > 2*outputs {
		t.Errorf("%d bytes of activations, want more than the %d of the convolutions and less than twice that", m.Activations, outputs)
	}
	var flops int64
	for _, n := range g.Nodes() {
		flops += p.Forward(n).FLOPs
	}
	// 15.47 GMAC without biases, ReLUs and pooling, in the count of torchvision's documentation.
	if g := float64(flops) / 2e9; g < 15.47 || g > 15.6 {
		t.Errorf("%.2f G multiply-adds forward, want 15.5", g)
	}
	if m.Workspace != 0 || m.EMA != 0 {
		t.Errorf("%d bytes of workspace and %d of average, want none", m.Workspace, m.EMA)
	}
}
