package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/pretrained"
	"github.com/cnnctl/cnnctl/train/transfer"
)

// writePretrained writes weights of a model that are not trained, but not those that a run draws either, with as many classes.
func writePretrained(t *testing.T, model string, in graph.Shape, classes int) string {
	t.Helper()
	w := newWeights(t, model, in, classes)
	if err := w.Init(77); err != nil {
		t.Fatal(err)
	}
	pre := augment.Preprocess{Size: [2]int{in.H, in.W}, Channels: in.C, Resize: augment.ResizeExact, ResizeTo: []int{in.H, in.W}, Crop: "center",
		Interpolation: augment.Bilinear, Scale: 1, Order: "rgb"}
	spec := Spec{Model: model, Input: [3]int{in.H, in.W, in.C}, Preprocess: pre}
	for range in.C {
		spec.Preprocess.Mean, spec.Preprocess.Std = append(spec.Preprocess.Mean, 0.4), append(spec.Preprocess.Std, 0.25)
	}
	for i := range classes {
		spec.Classes = append(spec.Classes, fmt.Sprintf("class %d", i))
	}
	path := filepath.Join(t.TempDir(), "pretrained.safetensors")
	if err := SaveWeights(path, spec, w); err != nil {
		t.Fatal(err)
	}
	return path
}

// tuned returns the settings of a fine-tuning, with a cache of its own.
func tuned(t *testing.T, model, data, weights, strategy string) Config {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	c := defaults(t, model, t.TempDir())
	c.Data, c.Weights, c.Strategy, c.Batch, c.Epochs, c.WarmupEpochs, c.Opt, c.LR = data, weights, strategy, 4, 3, 0, "adamw", 0.01
	if strategy == "scratch" {
		c.Weights = ""
	}
	return c
}

// tensors reads all tensors of a file.
func tensorsOf(t *testing.T, path string) map[string][]float32 {
	t.Helper()
	f, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string][]float32{}
	for _, info := range f.Tensors() {
		all[info.Name] = make([]float32, info.Elems())
		if err := f.Float32s(info.Name, all[info.Name]); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// For every strategy, a run that is stopped after a step and after an epoch and continued each time ends with the bits of one that was not; what the
// strategy freezes keeps the pretrained values, running statistics included, and the rest has moved.
func TestStrategies(t *testing.T) {
	folder := writeStrokes(t, 10, 16)
	lenet := writePretrained(t, "lenet5_relu", graph.Shape{H: 16, W: 16, C: 3}, 5)
	resnet := writePretrained(t, "resnet20", graph.Shape{H: 16, W: 16, C: 3}, 5)
	for _, c := range []struct {
		model, strategy string
		set             func(*Config)
		trained         []string // prefixes
	}{
		{"lenet5_relu", "head", nil, []string{"fc3."}},
		{"lenet5_relu", "features", func(c *Config) { c.EMA, c.EMADecay = true, 0.5 }, []string{"fc3."}},
		{"lenet5_relu", "last:2", nil, []string{"fc2.", "fc3."}},
		{"lenet5_relu", "from:conv2", func(c *Config) { c.LayerDecay = 0.5 }, []string{"conv2.", "fc"}},
		{"lenet5_relu", "gradual", func(c *Config) { c.EMA, c.EMADecay = true, 0.5 }, []string{""}}, // as many stages as it has epochs, and one more
		{"lenet5_relu", "full", func(c *Config) { c.FreezeEpochs, c.Opt, c.Momentum = 1, "sgd", 0.9 }, []string{""}},
		{"lenet5_relu", "scratch", nil, []string{""}},
		{"resnet20", "from:layer3", nil, []string{"layer3.", "linear."}},
		{"resnet20", "features", nil, []string{"linear."}},
	} {
		t.Run(c.model+" "+c.strategy, func(t *testing.T) {
			if testing.Short() && c.model != "lenet5_relu" {
				t.Skip("a larger network")
			}
			weights := lenet
			if c.model == "resnet20" {
				weights = resnet
			}
			config := tuned(t, c.model, folder, weights, c.strategy)
			config.SaveEvery = 2
			if c.strategy == "gradual" {
				config.Epochs = 4
			}
			if c.set != nil {
				c.set(&config)
			}
			dev := newDevice(t)
			begin := func(ctx context.Context, o ...Observer) (*Run, error) { return Start(ctx, config, dev, o...) }
			want, err := train(t, begin, nil)
			if err != nil {
				t.Fatal(err)
			}
			// Without the pretrained file: a run that has a state does not need it.
			moved := filepath.Join(t.TempDir(), "away.safetensors")
			got, err := train(t, begin, func(e Event) bool { s, ok := e.(Saved); return ok && s.Updates == 2 })
			if config.Weights != "" {
				if err := os.Rename(weights, moved); err != nil {
					t.Fatal(err)
				}
				defer os.Rename(moved, weights)
			}
			for _, stop := range []func(Event) bool{
				func(e Event) bool { d, ok := e.(EpochDone); return ok && d.Epoch == 1 },
				func(e Event) bool { d, ok := e.(EpochDone); return ok && d.Epoch == 2 },
				nil,
			} {
				if !errors.Is(err, ErrInterrupted) || !strings.Contains(err.Error(), "cnnctl finetune --resume") {
					t.Fatalf("error %v, want ErrInterrupted and the command to go on with", err)
				}
				got, err = train(t, resume(t, got, dev), stop)
			}
			if err != nil {
				t.Fatal(err)
			}
			sameEnd(t, got, want)

			if config.Weights == "" {
				return
			}
			before, after := tensorsOf(t, moved), tensorsOf(t, got.Dir.File("weights", "last.safetensors"))
			for name, v := range after {
				stat := strings.Contains(name, "running_")
				trains := slices.ContainsFunc(c.trained, func(p string) bool { return strings.HasPrefix(name, p) })
				if changed := !slices.Equal(v, before[name]); changed != trains && !(stat && trains) {
					t.Errorf("%s changed: %v", name, changed)
				}
			}
		})
	}
}

// On images without augmentation, a head that is trained on cached features becomes that which is trained behind the frozen trunk.
func TestFeaturesEqualHead(t *testing.T) {
	folder := writeStrokes(t, 12, 32)
	for _, model := range []string{"squeezenet1_1", "resnet20"} {
		t.Run(model, func(t *testing.T) {
			weights := writePretrained(t, model, graph.Shape{H: 32, W: 32, C: 3}, 7)
			dev := newDevice(t)
			var rows [2][]Row
			var ends [2]map[string][]float32
			for i, strategy := range []string{"head", "features"} {
				c := tuned(t, model, folder, weights, strategy)
				c.NoAug = true
				r, err := train(t, func(ctx context.Context, o ...Observer) (*Run, error) { return Start(ctx, c, dev, o...) }, nil)
				if err != nil {
					t.Fatal(err)
				}
				if (r.tail != nil) != (strategy == "features") {
					t.Fatalf("%s: cached: %v", strategy, r.tail != nil)
				}
				rows[i], ends[i] = r.Rows(), tensorsOf(t, r.Dir.File("weights", "last.safetensors"))
			}
			for e := range rows[0] {
				if a, b := rows[0][e], rows[1][e]; math.Abs(a.TrainLoss-b.TrainLoss) > 1e-4 || math.Abs(a.ValLoss-b.ValLoss) > 1e-4 || a.Top1 != b.Top1 {
					t.Errorf("epoch %d: %+v with the trunk, %+v with features", e+1, a, b)
				}
			}
			for name, v := range ends[0] {
				for i := range v {
					if d := math.Abs(float64(v[i] - ends[1][name][i])); d > 1e-4 {
						t.Fatalf("%s: element %d differs by %g", name, i, d)
					}
				}
			}
		})
	}
}

// The head is replaced where the classes are others, kept where nothing says that they are, and drawn as asked.
func TestHead(t *testing.T) {
	folder := writeStrokes(t, 6, 16)
	in := graph.Shape{H: 16, W: 16, C: 3}
	two, five := writePretrained(t, "lenet5_relu", in, 2), writePretrained(t, "lenet5_relu", in, 5)
	foreign := filepath.Join(t.TempDir(), "foreign.safetensors")
	var tensors []checkpoint.Tensor
	for name, v := range tensorsOf(t, two) {
		f, err := checkpoint.Open(two)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Info(name)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		tensors = append(tensors, checkpoint.Tensor{Name: name, Shape: info.Shape, Data: v})
	}
	if err := checkpoint.Write(foreign, tensors, nil); err != nil {
		t.Fatal(err)
	}
	dev := newDevice(t)
	for _, c := range []struct {
		weights, init string
		kept          bool
		note          string
	}{
		{five, "", false, "the head fc3 is new: 2 classes in place of 5"},
		{two, "", false, "the classes are others"},
		{two, "keep", true, "is kept"},
		{foreign, "", true, "is kept"},
		{foreign, "model", false, "as --head-init asks"},
		{five, "zero", false, "as --head-init asks"},
		{five, "xavier", false, "as --head-init asks"},
	} {
		config := tuned(t, "lenet5_relu", folder, c.weights, "full")
		config.HeadInit, config.Epochs = c.init, 0
		p := pretrained.ImageNet()
		p.Size, p.Resize, p.ResizeTo = [2]int{16, 16}, augment.ResizeExact, []int{16, 16}
		config.Preprocess = &p
		var notes []string
		r, err := train(t, func(ctx context.Context, o ...Observer) (*Run, error) {
			return Start(ctx, config, dev, append(o, func(e Event) {
				if s, ok := e.(Started); ok {
					notes = s.Notes
				}
			})...)
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.Join(notes, "\n"), c.note) {
			t.Errorf("%s, %q: notes %q, want %q", filepath.Base(c.weights), c.init, notes, c.note)
		}
		before, after := tensorsOf(t, c.weights), tensorsOf(t, r.Dir.File("weights", "last.safetensors"))
		if kept := slices.Equal(before["fc3.weight"], after["fc3.weight"]); kept != c.kept {
			t.Errorf("%s, %q: the head was kept: %v", filepath.Base(c.weights), c.init, kept)
		}
		if zero := !slices.ContainsFunc(after["fc3.weight"], func(v float32) bool { return v != 0 }); zero != (c.init == "zero") {
			t.Errorf("%s, %q: the head is zero: %v", filepath.Base(c.weights), c.init, zero)
		}
		if !slices.Equal(before["conv1.weight"], after["conv1.weight"]) || !slices.Equal(before["fc2.bias"], after["fc2.bias"]) {
			t.Errorf("%s, %q: the body was not loaded", filepath.Base(c.weights), c.init)
		}
	}
}

// What cannot be meant, and checkpoints that do not fit, end before anything is written.
func TestWrongTuning(t *testing.T) {
	folder := writeStrokes(t, 6, 16)
	in := graph.Shape{H: 16, W: 16, C: 3}
	lenet, squeeze := writePretrained(t, "lenet5_relu", in, 5), writePretrained(t, "squeezenet1_1", graph.Shape{H: 32, W: 32, C: 3}, 5)
	dev := newDevice(t)
	for _, c := range []struct {
		model, weights, strategy string
		set                      func(*Config)
		want                     error
		text                     string
	}{
		{"lenet5_relu", "", "head", nil, ErrConfig, "without pretrained weights"},
		{"lenet5_relu", "", "full", nil, ErrConfig, "without pretrained weights"},
		{"lenet5_relu", "", "auto", nil, ErrConfig, "without pretrained weights"},
		{"lenet5_relu", "", "", func(c *Config) { c.FreezeEpochs = 2 }, ErrConfig, "--freeze-epochs"},
		{"lenet5_relu", lenet, "heads", nil, ErrConfig, "head, features, last:N"},
		{"lenet5_relu", lenet, "last:9", nil, ErrConfig, "has 5 layers: conv1, conv2"},
		{"lenet5_relu", lenet, "from:conv7", nil, ErrConfig, "wanted one of conv1, conv2"},
		{"lenet5_relu", lenet, "head", func(c *Config) { c.LRMult = 0.1 }, ErrConfig, "trains the head alone"},
		{"lenet5_relu", lenet, "features", func(c *Config) { c.MixUp = 0.2 }, ErrConfig, "augmentation"},
		{"lenet5_relu", lenet, "full", func(c *Config) { c.LRMult = -1 }, ErrConfig, "--lr-mult -1"},
		{"lenet5_relu", lenet, "full", func(c *Config) { c.LayerDecay = 2 }, ErrConfig, "--layer-decay 2"},
		{"lenet5_relu", lenet, "full", func(c *Config) { c.HeadInit = "ones" }, ErrConfig, "--head-init"},
		{"lenet5_relu", lenet, "full", func(c *Config) { c.HeadInit = "keep" }, ErrConfig, "tells 5 classes apart, the data has 2"},
		{"squeezenet1_1", squeeze, "head", func(c *Config) { c.HeadInit = "zero" }, ErrConfig, "never learn"},
		{"lenet5", lenet, "head", nil, ErrConfig, "holds a lenet5_relu"},
		{"lenet5_relu", filepath.Join(folder, "absent"), "head", nil, ErrRun, "absent"},
		{"lenet5_relu", filepath.Join(folder, "0", "00.png"), "head", nil, checkpoint.ErrCorrupt, "00.png"},
		{"lenet5_relu", lenet, "head", func(c *Config) {
			p := pretrained.ImageNet()
			p.Size, p.Resize, p.ResizeTo = [2]int{32, 32}, augment.ResizeExact, []int{32, 32}
			c.Preprocess = &p
		}, ErrWeights, "fc1.weight is [120 64], wanted [120 400]"},
	} {
		config := tuned(t, c.model, folder, c.weights, c.strategy)
		if c.set != nil {
			c.set(&config)
		}
		_, err := Start(t.Context(), config, dev)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s, %q with %s: error %v, want %v with %q", c.model, c.strategy, filepath.Base(c.weights), err, c.want, c.text)
		}
		if left, _ := os.ReadDir(config.Project); len(left) > 0 {
			t.Errorf("%q: it left %v", c.strategy, left)
		}
	}
}

// auto decides by the data, says why, and a continued run keeps to it.
func TestAuto(t *testing.T) {
	folder := writeStrokes(t, 10, 16)
	c := tuned(t, "lenet5_relu", folder, writePretrained(t, "lenet5_relu", graph.Shape{H: 16, W: 16, C: 3}, 5), "auto")
	c.Epochs = 1
	dev := newDevice(t)
	var notes []string
	r, err := train(t, func(ctx context.Context, o ...Observer) (*Run, error) {
		return Start(ctx, c, dev, append(o, func(e Event) {
			if s, ok := e.(Started); ok {
				notes = s.Notes
			}
		})...)
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	args, err := LoadConfig(r.Dir.Path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := transfer.Parse(args.Strategy)
	if err != nil || s.Kind == transfer.Auto || !strings.Contains(strings.Join(notes, "\n"), fmt.Sprintf("auto: %v, because 8 images of each class are fewer than", s)) {
		t.Errorf("strategy %q, notes %q, %v", args.Strategy, notes, err)
	}
}

// Random weights see images normalised by their own statistics, whatever the pretrained ones were used to: bytes of 0 to 255, say, would kill them.
func TestScratchForgetsThePreprocessing(t *testing.T) {
	folder := writeStrokes(t, 10, 16)
	weights := writePretrained(t, "lenet5_relu", graph.Shape{H: 20, W: 20, C: 3}, 5)
	for strategy, foreign := range map[string]bool{"full": true, "scratch": false} {
		c := tuned(t, "lenet5_relu", folder, weights, strategy)
		c.Weights = weights
		r, err := Start(t.Context(), c, newDevice(t))
		if err != nil {
			t.Fatal(err)
		}
		p := r.Spec.Preprocess
		if p.Size != [2]int{20, 20} || (p.Mean[0] == 0.4 && p.Std[0] == 0.25) != foreign {
			t.Errorf("%s: size %v, mean %v, deviation %v; the checkpoint's are 20x20, 0.4, 0.25, wanted with this strategy: %v", strategy, p.Size, p.Mean, p.Std, foreign)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
