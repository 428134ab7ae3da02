package checkpoint

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// torchvisionKeys reads torchvision's list of a model's tensors, from the specification beside the real data.
func torchvisionKeys(t *testing.T, model string) []Want {
	t.Helper()
	file, err := os.Open(filepath.Join(sharedData(t), "..", "spec", "torchvision_keys.txt"))
	if err != nil {
		t.Skip("the list of torchvision's tensors is absent")
	}
	defer file.Close()
	var keys []Want
	in := false
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			in = strings.HasPrefix(lines.Text(), "# "+model+":")
			continue
		}
		name, shape, ok := strings.Cut(lines.Text(), "\t")
		if !in || !ok {
			continue
		}
		w := Want{Name: name}
		if err := json.Unmarshal([]byte(shape), &w.Shape); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, w)
	}
	if len(keys) == 0 {
		t.Fatalf("the list has no %s", model)
	}
	return keys
}

// fileOf opens a file with these tensors. Their numbers do not matter.
func fileOf(t *testing.T, tensors []Want) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.safetensors")
	var list []Tensor
	for _, w := range tensors {
		list = append(list, Tensor{Name: w.Name, Shape: w.Shape, Fill: func([]float32) error { return nil }})
	}
	if err := Write(path, list, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// timmVGG has the names of timm's VGG, with fully connected layers of any width.
func timmVGG(features []Want, width int) []Want {
	list := slices.Clone(features)
	return append(list,
		Want{"pre_logits.fc1.weight", []int{width, 512, 7, 7}}, Want{"pre_logits.fc1.bias", []int{width}},
		Want{"pre_logits.fc2.weight", []int{width, width, 1, 1}}, Want{"pre_logits.fc2.bias", []int{width}},
		Want{"head.fc.weight", []int{10, width}}, Want{"head.fc.bias", []int{10}})
}

func TestTimmVGG(t *testing.T) {
	for _, model := range []string{"vgg16", "vgg19_bn"} {
		t.Run(model, func(t *testing.T) {
			const width = 4 // of the fully connected layers
			var features, want []Want
			for _, w := range torchvisionKeys(t, model) {
				switch {
				case strings.HasPrefix(w.Name, "features."):
					features = append(features, w)
				case w.Name == "classifier.0.weight":
					w.Shape = []int{width, 512 * 7 * 7}
				case w.Name == "classifier.3.weight":
					w.Shape = []int{width, width}
				case w.Name == "classifier.6.weight":
					w.Shape = []int{10, width}
				case w.Name == "classifier.6.bias":
					w.Shape = []int{10}
				default:
					w.Shape = []int{width}
				}
				want = append(want, w)
			}
			// The features are large and have the same names in both: their first dimension is enough.
			thin := func(list []Want) []Want {
				list = slices.Clone(list)
				for i, w := range list {
					if strings.HasPrefix(w.Name, "features.") {
						list[i].Shape = w.Shape[:min(1, len(w.Shape))]
					}
				}
				return list
			}
			f := fileOf(t, timmVGG(thin(features), width))
			got := f.TorchvisionNames()
			if err := got.Match("", thin(want)); err != nil {
				t.Error(err)
			}
			if err := got.Verify(); err != nil {
				t.Errorf("under other names the digests do not hold: %v", err)
			}
			if err := got.Float32s("classifier.0.weight", make([]float32, width*512*7*7)); err != nil {
				t.Error(err)
			}
			if got.TorchvisionNames() != got {
				t.Error("torchvision's names were translated again")
			}
		})
	}
}

// The shapes follow from the paper's table, so a layer that is taken for another one shows.
func TestTimmMobileNetV2(t *testing.T) {
	var timm []Want
	norm := func(name string, c int) {
		timm = append(timm, Want{name + ".num_batches_tracked", nil})
		for _, part := range []string{"weight", "bias", "running_mean", "running_var"} {
			timm = append(timm, Want{name + "." + part, []int{c}})
		}
	}
	conv := func(name string, shape ...int) { timm = append(timm, Want{name + ".weight", shape}) }
	conv("conv_stem", 32, 3, 3, 3)
	norm("bn1", 32)
	in := 32
	for stage, s := range []struct{ out, blocks int }{{16, 1}, {24, 2}, {32, 3}, {64, 4}, {96, 3}, {160, 3}, {320, 1}} {
		for block := range s.blocks {
			name := fmt.Sprintf("blocks.%d.%d.", stage, block)
			if stage == 0 {
				conv(name+"conv_dw", in, 1, 3, 3)
				norm(name+"bn1", in)
				conv(name+"conv_pw", s.out, in, 1, 1)
				norm(name+"bn2", s.out)
			} else {
				conv(name+"conv_pw", 6*in, in, 1, 1)
				norm(name+"bn1", 6*in)
				conv(name+"conv_dw", 6*in, 1, 3, 3)
				norm(name+"bn2", 6*in)
				conv(name+"conv_pwl", s.out, 6*in, 1, 1)
				norm(name+"bn3", s.out)
			}
			in = s.out
		}
	}
	conv("conv_head", 1280, 320, 1, 1)
	norm("bn2", 1280)
	timm = append(timm, Want{"classifier.weight", []int{1000, 1280}}, Want{"classifier.bias", []int{1000}})
	want := slices.DeleteFunc(torchvisionKeys(t, "mobilenet_v2"), func(w Want) bool { return strings.HasSuffix(w.Name, "num_batches_tracked") })
	if err := fileOf(t, timm).TorchvisionNames().Match("", want); err != nil {
		t.Error(err)
	}
}

// Models with torchvision's names stay as they are.
func TestTorchvisionNamesStay(t *testing.T) {
	for _, model := range []string{"alexnet", "vgg16", "resnet18", "squeezenet1_1", "mobilenet_v2"} {
		keys := torchvisionKeys(t, model)
		for i := range keys {
			keys[i].Shape = nil
		}
		if f := fileOf(t, keys); f.TorchvisionNames() != f {
			t.Errorf("%s was translated", model)
		}
	}
}

func TestMatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	err := Write(path, []Tensor{
		{Name: "m.a", Shape: []int{2}, Data: []float32{1, 2}},
		{Name: "m.b", Shape: []int{1, 2}, Data: []float32{1, 2}},
		{Name: "m.i", DType: I8, Shape: []int{1}, Raw: []byte{1}},
		{Name: "m.bn.num_batches_tracked", DType: I64, Raw: make([]byte, 8)},
		{Name: "other", Data: []float32{1}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cases := []struct {
		name  string
		want  []Want
		parts []string // of the message; none: it matches
	}{
		{"missing", []Want{{"a", []int{2}}, {"b", []int{1, 2}}, {"c", []int{3}}}, []string{"1 missing: c [3]", "1 unexpected: m.i [1]"}},
		{"shape", []Want{{"a", []int{2}}, {"b", []int{2}}}, []string{"1 different: m.b is [1 2], wanted [2]"}},
		{"type", []Want{{"a", []int{2}}, {"b", []int{1, 2}}, {"i", []int{1}}}, []string{"1 different: m.i is of type I8"}},
		{"many", make([]Want, 9), []string{"9 missing", "and 3 more", "3 unexpected: m.a [2], m.b [1 2], m.i [1]"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := f.Match("m.", c.want)
			var m *Mismatch
			if !errors.Is(err, ErrMismatch) || !errors.As(err, &m) || m.Path != path {
				t.Fatalf("got %v, want a Mismatch", err)
			}
			for _, part := range append(c.parts, path, "nothing was loaded") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("message %q lacks %q", err, part)
				}
			}
		})
	}
	if err := f.Match("oth", []Want{{"er", nil}}); err != nil {
		t.Errorf("got %v, want a match", err)
	}
}
