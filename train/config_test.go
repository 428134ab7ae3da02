package train

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/pretrained"
	"github.com/cnnctl/cnnctl/zoo"
)

// filled sets every field of c to a value of its own that Check lets pass.
func filled(t *testing.T) Config {
	t.Helper()
	c := defaults(t, "lenet5", "somewhere")
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		switch f.Kind() {
		case reflect.Int, reflect.Int64:
			f.SetInt(int64(3 + i))
		case reflect.Uint64:
			f.SetUint(math.MaxUint64 - uint64(i))
		case reflect.Float64:
			f.SetFloat(1 / float64(i+3))
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Array:
			f.Index(0).SetFloat(0.1)
			f.Index(1).SetFloat(1.0 / 3)
		case reflect.Pointer:
			p := pretrained.ImageNet()
			f.Set(reflect.ValueOf(&p))
		case reflect.Uint8: // the precision
			f.SetUint(uint64(device.BF16))
		case reflect.String:
			if f.Len() == 0 {
				f.SetString(fmt.Sprintf("text: %d # \"", i))
			}
		default:
			t.Fatalf("field %s has a kind that this test does not know", v.Type().Field(i).Name)
		}
	}
	c.Strategy, c.HeadInit = "from:fc1", "xavier"
	c.AutoAugment = "rand-m9-mstd0.5" // not any text
	return c
}

// What args.yaml holds is what was written, to the last bit of a number.
func TestArgsRoundTrip(t *testing.T) {
	want := filled(t)
	dir, err := CreateDir(t.TempDir(), "x")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := dir.SaveConfig(want); err != nil {
		t.Fatal(err)
	}
	got, err := LoadConfig(dir.Path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if names := got.changed(want); len(names) > 0 {
		t.Errorf("changed: %v", names)
	}
}

// A continued run may change what leaves its past true, and nothing else.
func TestContinues(t *testing.T) {
	before := defaults(t, "lenet5", "somewhere")
	after := filled(t)
	after.Model = "lenet5_relu"
	typ := reflect.TypeFor[Config]()
	keys := map[string]bool{}
	for i := range typ.NumField() {
		key, _, _ := strings.Cut(typ.Field(i).Tag.Get("yaml"), ",")
		keys[key] = true
		c := before
		to := reflect.ValueOf(after).Field(i)
		if to.Interface() == reflect.ValueOf(c).Field(i).Interface() {
			to = reflect.ValueOf("another").Convert(to.Type()) // a text that has a default
		}
		reflect.ValueOf(&c).Elem().Field(i).Set(to)
		free := false
		for _, name := range mayChange {
			free = free || name == key
		}
		err := c.continues(before)
		if free && err != nil {
			t.Errorf("--%s: %v", key, err)
		}
		if !free && (!errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), ": --"+key+" would")) {
			t.Errorf("--%s: error %v, want one that names it", key, err)
		}
	}
	for _, name := range mayChange {
		if !keys[name] {
			t.Errorf("%s is no setting", name)
		}
	}
}

func TestDefaultsPass(t *testing.T) {
	for _, info := range zoo.Models() {
		if err := Defaults(info).Check(); err != nil {
			t.Errorf("%s: %v", info.Name, err)
		}
	}
}

// The settings that a run writes down give the same augmentation when they are read back: a continued run sees the same pictures.
func TestAugmentationIsStable(t *testing.T) {
	grey := &data.Statistics{Channels: 1, MinW: 28, MaxW: 28, MinH: 28, MaxH: 28, Mean: []float64{0.1}, Std: []float64{0.3}}
	small := &data.Statistics{Channels: 3, MinW: 32, MaxW: 32, MinH: 32, MaxH: 32, Mean: []float64{0.1, 0.2, 0.3}, Std: []float64{0.3, 0, 0.3}}
	photos := &data.Statistics{Channels: 3, MinW: 200, MaxW: 600, MinH: 180, MaxH: 500, Mean: []float64{0.4, 0.4, 0.4}, Std: []float64{0.2, 0.2, 0.2}}
	for _, st := range []*data.Statistics{grey, small, photos} {
		for _, set := range []func(*Config){
			func(*Config) {},
			func(c *Config) { c.Scale = [2]float64{0.5, 1} },
			func(c *Config) { c.Scale, c.Ratio = [2]float64{0.5, 1}, [2]float64{0.9, 1.1} },
			func(c *Config) { c.CropPadding = 3 },
			func(c *Config) { c.CropPadding, c.Scale = 3, [2]float64{0.5, 1} },
			func(c *Config) { c.CropPadding, c.HFlip = 0, 0 },
			func(c *Config) {
				c.HFlip, c.VFlip, c.Rotation, c.ReProb, c.ColorJitter, c.CropPct = 0.3, 0.1, 20, 0.2, Jitter{0.4, 0.4, 0.4}, 0.9
			},
		} {
			c := defaults(t, "lenet5", "x")
			set(&c)
			in := graph.Shape{H: 32, W: 32, C: st.Channels}
			text := func(c *Config) string {
				p, err := augment.Train(augmentation(c, in, st))
				if err != nil {
					t.Fatal(err)
				}
				return p.String()
			}
			asked := c
			first := text(&c)
			if second := text(&c); second != first {
				t.Errorf("%+v: first %s\nthen %s", asked, first, second)
			}
			if asked.CropPadding > 0 && !strings.Contains(first, fmt.Sprintf("padding=%d", asked.CropPadding)) {
				t.Errorf("--crop-padding %d is lost: %s", asked.CropPadding, first)
			}
		}
	}
}

// A second holder of a directory is told who the first one is, and nothing remains to be cleaned up after it.
func TestLock(t *testing.T) {
	project := t.TempDir()
	first, err := CreateDir(project, "run")
	if err != nil {
		t.Fatal(err)
	}
	if err := first.SaveConfig(defaults(t, "lenet5", project)); err != nil {
		t.Fatal(err)
	}
	_, err = OpenDir(first.Path)
	if !errors.Is(err, ErrRun) || !strings.Contains(err.Error(), fmt.Sprintf("process %d on ", os.Getpid())) {
		t.Errorf("error %v, want ErrRun with this process's number", err)
	}
	if err := os.Truncate(first.File(".holder"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDir(first.Path); !errors.Is(err, ErrRun) || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("error %v", err)
	}
	second, err := CreateDir(project, "run")
	if err != nil || second.Path != filepath.Join(project, "run-2") {
		t.Fatalf("the next directory: %v, %v", second, err)
	}
	for _, d := range []*Dir{first, second} {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	again, err := OpenDir(first.Path)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestRunNames(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", "/a", ".hidden", "a/"} {
		if d, err := CreateDir(t.TempDir(), name); !errors.Is(err, ErrConfig) {
			t.Errorf("name %q: %v, %v, want ErrConfig", name, d, err)
		}
	}
}

// The moving average forgets the beginning first, and never exceeds the decay that was asked for.
func TestEMADecay(t *testing.T) {
	c := Config{EMADecay: 0.999}
	for _, want := range []struct {
		updates int
		decay   float32
	}{{0, 0.1}, {90, 0.91}, {8989, 0.998999}, {1 << 40, 0.999}} {
		if got := c.emaDecay(want.updates); math.Abs(float64(got-want.decay)) > 1e-6 {
			t.Errorf("after %d updates: %v, want %v", want.updates, got, want.decay)
		}
	}
}
