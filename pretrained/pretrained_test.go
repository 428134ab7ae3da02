package pretrained

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/checkpoint"
)

// Every entry has a hash in its name and an input that the pipeline can make.
func TestTable(t *testing.T) {
	if len(table) != 20 {
		t.Errorf("got %d entries, want the 20 models of torchvision and of CIFAR", len(table))
	}
	seen := map[string]bool{}
	for _, w := range table {
		if seen[w.Model] || seen[w.URL] || len(w.Hash()) != 8 || !strings.HasPrefix(w.URL, "https://") {
			t.Errorf("%+v: want one entry each, https, and eight digits", w)
		}
		seen[w.Model], seen[w.URL] = true, true
		if _, err := w.Preprocess.Pipeline(); err != nil {
			t.Errorf("%s: %v", w.Model, err)
		}
		if !strings.HasPrefix(strings.ReplaceAll(w.File(), "-owt", ""), w.Model+"-") {
			t.Errorf("%s is the file of %s", w.File(), w.Model)
		}
	}
	if _, err := Lookup("lenet5"); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "vgg16") {
		t.Errorf("got %v, want ErrNone and what there is", err)
	}
}

// The published CIFAR files, where they are at hand, have the hashes of their names.
func TestPublishedHashes(t *testing.T) {
	dir := filepath.Join("..", "..", "shared", "data", "weights")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the real files of ../shared/data are absent")
	}
	for _, model := range []string{"resnet20", "resnet32", "resnet44", "resnet56"} {
		w, err := Lookup(model)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkHash(t.Context(), filepath.Join(dir, w.File()), w.Hash()); err != nil {
			t.Error(err)
		}
	}
}

func TestDirs(t *testing.T) {
	t.Setenv("HOME", "/home/u")
	for _, c := range []struct{ xdg, torchHome, cache, torch string }{
		{"", "", "/home/u/.cache/cnnctl", "/home/u/.cache/torch/hub/checkpoints"},
		{"/x", "", "/x/cnnctl", "/x/torch/hub/checkpoints"},
		{"/x", "/t", "/x/cnnctl", "/t/hub/checkpoints"},
	} {
		t.Setenv("XDG_CACHE_HOME", c.xdg)
		t.Setenv("TORCH_HOME", c.torchHome)
		cache, torch, err := new(Finder).dirs()
		if filepath.ToSlash(cache) != c.cache || filepath.ToSlash(torch) != c.torch || err != nil {
			t.Errorf("%+v: got %s, %s, %v", c, cache, torch, err)
		}
	}
}

func TestDescribe(t *testing.T) {
	const timm = `{"architecture":"mobilenetv2_100.ra_in1k","num_classes":3,"label_names":["a","b","c"],"num_features":1280,"pretrained_cfg":{
		"tag":"ra_in1k","custom_load":false,"input_size":[3,224,192],"fixed_input_size":false,"interpolation":"bicubic","crop_pct":0.875,
		"crop_mode":"center","mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225],"num_classes":3,"first_conv":"conv_stem","classifier":"classifier"}}`
	const input = `"input_size":[3,224,224],"mean":[0.5,0.5,0.5],"std":[0.5,0.5,0.5],`
	cases := []struct {
		name, file, config string
		want               string // of the description
		err                string
	}{
		{"nothing", "model.safetensors", "", "/ 0 []", ""},
		{"another library's", "model.safetensors", `{"architectures":["ResNetForImageClassification"],"model_type":"resnet"}`, "/ 0 []", ""},
		{"timm", "model.safetensors", timm, "mobilenetv2_100.ra_in1k/mobilenet_v2 3 [a b c] cover [256 219] [224 192] bicubic [0.485 0.456 0.406]", ""},
		{"older form", "pytorch_model.bin", `{"architecture":"vgg16",` + input + `"crop_pct":0.9,"interpolation":"bilinear","num_classes":1000}`,
			"vgg16/vgg16 1000 [] cover [248 248] [224 224] bilinear [0.5 0.5 0.5]", ""},
		{"not in the zoo", "model.safetensors", `{"architecture":"convnext_tiny","num_classes":7,"label_names":{"a":"b"},"pretrained_cfg":{` + input + `"crop_mode":"squash","crop_pct":1.0}}`,
			"convnext_tiny/ 7 [] exact [224 224] [224 224] bilinear [0.5 0.5 0.5]", ""},
		{"before anything beside it", "resnet20-12fca82f.th", "", "resnet20/resnet20 10 [] exact [32 32] [32 32] bilinear [0.485 0.456 0.406]", ""},
		{"torchvision's", "vgg16-397923af.pth", "", "vgg16/vgg16 1000 [] cover [256 256] [224 224] bilinear [0.485 0.456 0.406]", ""},
		{"no JSON", "model.safetensors", "{", "", "want a JSON object"},
		{"border", "model.safetensors", `{"architecture":"x","pretrained_cfg":{` + input + `"crop_mode":"border"}}`, "", "crop_mode"},
		{"share", "model.safetensors", `{"architecture":"x","pretrained_cfg":{` + input + `"crop_pct":1.5}}`, "", "crop_pct"},
		{"filter", "model.safetensors", `{"architecture":"x","pretrained_cfg":{` + input + `"interpolation":"lanczos"}}`, "", "interpolation"},
		{"deviation", "model.safetensors", `{"architecture":"x","pretrained_cfg":{"input_size":[3,8,8],"mean":[0,0,0],"std":[1,0,1]}}`, "", "std"},
		{"size", "model.safetensors", `{"architecture":"x","pretrained_cfg":{"input_size":[224]}}`, "", "input_size"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if c.config != "" {
				if err := os.WriteFile(filepath.Join(dir, configName), []byte(c.config), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			d, err := Describe(filepath.Join(dir, c.file))
			if c.err != "" {
				if !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), dir) {
					t.Errorf("got %v, want ErrFormat about %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%s/%s %d %v", d.Architecture, d.Model, d.Classes, d.Labels)
			if p := d.Preprocess; p != nil {
				got += fmt.Sprintf(" %s %v %v %s %v", p.Resize, p.ResizeTo, p.Size, p.Interpolation, p.Mean)
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestModels(t *testing.T) {
	if got := Models(); !slices.Contains(got, "resnet56") || len(got) != len(table) {
		t.Errorf("got %v", got)
	}
}
