package transfer_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/train/transfer"
)

// A small network for the tests is written down here: this package knows no models.
func network(blocks ...string) *graph.Graph {
	g := graph.New(graph.Shape{H: 16, W: 16, C: 3})
	x := g.Input()
	conv := func(name string, stride int) {
		c := graph.Conv2D{Filters: 4, Window: graph.Window{Size: [2]int{3}, Stride: [2]int{stride}, Pad: graph.Pad(1)}}
		x = g.Add(name, c, x)
	}
	for _, b := range blocks {
		kind, name, _ := strings.Cut(b, " ")
		switch kind {
		case "conv":
			conv(name, 1)
		case "down":
			conv(name, 2)
		case "bn":
			x = g.Add(name, graph.BatchNorm{}, x)
		case "relu":
			x = g.Add(name, graph.ReLU(), x)
		case "mean":
			x = g.Add(name, graph.AdaptiveAvgPool{P: 1, Q: 1}, x)
		case "fc":
			x = g.Add(name, graph.Linear{Out: 3}, x)
		}
	}
	return g
}

// resnetLike and squeezeLike have the names and the heads of those families, vggLike batch norms with numbers of their own.
var (
	resnetLike = []string{"conv conv1", "bn bn1", "relu relu", "conv layer1.0.conv1", "bn layer1.0.bn1", "conv layer1.1.conv1",
		"down layer2.0.conv1", "bn layer2.0.bn1", "conv layer2.1.conv1", "mean avgpool", "fc fc"}
	squeezeLike = []string{"down features.0", "relu features.1", "conv features.3.squeeze", "conv features.3.expand", "conv classifier.1", "relu classifier.2", "mean classifier.3"}
	vggLike     = []string{"conv features.0", "bn features.1", "relu features.2", "down features.3", "bn features.4", "fc classifier.0", "relu classifier.1", "fc classifier.3"}
)

func TestLayers(t *testing.T) {
	for _, c := range []struct {
		blocks []string
		want   string
	}{
		{resnetLike, "conv1 layer1.0 layer1.1 layer2.0 layer2.1 fc"},
		{squeezeLike, "features.0 features.3 classifier.1"},
		{vggLike, "features.0 features.3 classifier.0 classifier.3"},
	} {
		var names []string
		for _, l := range transfer.Layers(network(c.blocks...)) {
			names = append(names, l.Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("layers %s, want %s", got, c.want)
		}
	}
}

func TestPlans(t *testing.T) {
	for _, c := range []struct {
		blocks    []string
		strategy  string
		headFirst bool
		want      []string // what is trained, stage by stage
		norms     int      // frozen in the first
	}{
		{resnetLike, "head", false, []string{"fc"}, 3},
		{resnetLike, "features", false, []string{"fc"}, 3},
		{resnetLike, "last:1", false, []string{"fc"}, 3},
		{resnetLike, "last:3", false, []string{"layer2.0 to fc"}, 2},
		{resnetLike, "last:6", false, []string{"conv1 to fc"}, 0},
		{resnetLike, "from:layer2", false, []string{"layer2.0 to fc"}, 2},
		{resnetLike, "from:layer1.1", false, []string{"layer1.1 to fc"}, 2},
		{resnetLike, "from:bn1", true, []string{"fc", "conv1 to fc"}, 3},
		{resnetLike, "full", false, []string{"conv1 to fc"}, 0},
		{resnetLike, "full", true, []string{"fc", "conv1 to fc"}, 3},
		{resnetLike, "scratch", false, []string{"conv1 to fc"}, 0},
		{resnetLike, "gradual", false, []string{"fc", "layer2.0 to fc", "conv1 to fc"}, 3},
		{squeezeLike, "head", false, []string{"classifier.1"}, 0},
		{squeezeLike, "gradual", false, []string{"classifier.1", "features.0 to classifier.1"}, 0},
		{vggLike, "gradual", true, []string{"classifier.3", "classifier.0 to classifier.3", "features.3 to classifier.3", "features.0 to classifier.3"}, 2},
	} {
		g := network(c.blocks...)
		s, err := transfer.Parse(c.strategy)
		if err != nil {
			t.Fatal(err)
		}
		if s.String() != c.strategy {
			t.Errorf("%s is written as %v", c.strategy, s)
		}
		p, err := s.Plan(g, c.headFirst)
		if err != nil {
			t.Fatal(err)
		}
		g.Thaw(p.Thaw)
		var got []string
		for stage := range g.Stages() {
			got = append(got, p.Trained(stage))
			g.Enter(stage)
			for i, l := range p.Layers {
				for _, n := range l.Nodes {
					for _, q := range n.Params {
						if trains := p.Stage[i] != graph.Never && p.Stage[i] <= stage; !q.Stat && q.Trainable() != trains {
							t.Errorf("%s, stage %d: %s is trained: %v", c.strategy, stage, q.Name, q.Trainable())
						}
					}
				}
			}
		}
		if !slices.Equal(got, c.want) || p.FrozenNorms(0) != c.norms {
			t.Errorf("%s: trained %q, %d frozen batch norms, want %q and %d", c.strategy, got, p.FrozenNorms(0), c.want, c.norms)
		}
	}
}

func TestWrongStrategies(t *testing.T) {
	for _, text := range []string{"", "heads", "head:1", "last", "last:0", "last:x", "from:", "from", "full:"} {
		if _, err := transfer.Parse(text); !errors.Is(err, transfer.ErrStrategy) || !strings.Contains(err.Error(), "gradual") {
			t.Errorf("%q: error %v, want one that lists the strategies", text, err)
		}
	}
	g := network(squeezeLike...)
	for text, want := range map[string]string{"last:4": "has 3 layers: features.0", "from:features.9": "wanted one of features.0", "auto": "decided"} {
		s, err := transfer.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Plan(g, false); !errors.Is(err, transfer.ErrStrategy) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

// The head learns at the full rate, the layers below it at a share, and less from layer to layer: timm's decay.
func TestScale(t *testing.T) {
	g := network(resnetLike...)
	p, err := transfer.Strategy{Kind: transfer.Full}.Plan(g, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range g.Params() {
		want := map[string]float64{"fc": 1, "layer2.1.conv1": 0.5 * 0.25, "layer2.0.bn1": 0.5 * 0.0625, "bn1": 0.5 * 0.25 * 0.25 * 0.25 * 0.25 * 0.25}[q.Node().Name]
		if got := p.Scale(q, 0.5, 0.25); want != 0 && got != want {
			t.Errorf("%s: factor %v, want %v", q.Name, got, want)
		}
	}
}

func TestSeparation(t *testing.T) {
	rows := [][]float32{{0, 5}, {1, 5}, {0, 5}, {10, 5}, {11, 5}, {10, 5}}
	if got := transfer.Separation(rows, []int{0, 0, 0, 1, 1, 1}, 2); got != 1 {
		t.Errorf("two clusters are separated by %v, want 1", got)
	}
	if got := transfer.Separation(rows, []int{0, 1, 0, 1, 0, 1}, 2); got > 0.4 {
		t.Errorf("labels at random are separated by %v", got)
	}
	if got := transfer.Separation(rows[:2], []int{0, 1}, 2); got != 0 {
		t.Errorf("one sample of each class gives %v, want 0", got)
	}
	for _, c := range []struct {
		perClass   int
		separation float64
		want       transfer.Kind
	}{{20, 0.9, transfer.Head}, {20, 0.2, transfer.Gradual}, {1000, 0.9, transfer.Full}, {1000, 0.2, transfer.Full}} {
		if s, why := transfer.Choose(c.perClass, c.separation); s.Kind != c.want || why == "" {
			t.Errorf("%d images, %v: %v because %s, want %v", c.perClass, c.separation, s, why, c.want)
		}
	}
}
