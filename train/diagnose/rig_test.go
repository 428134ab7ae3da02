package diagnose

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/cnnctl/cnnctl/cpu"
	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/synth"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/train"
	"github.com/cnnctl/cnnctl/zoo"
)

// A world is a data set that the tests make of the embedded digits.
type world struct {
	fresh      bool // of digits that no network was trained on
	train, val int  // pictures of each class
	digits     int  // classes; 0 means 10
	change     func(pix []uint8)
	label      func(digit, sample int) int // the class of a digit's sample; nil: itself
}

// folder writes the data set as PNG files and returns its path.
func (w world) folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	src, ok := synth.Open("digits", 0)
	if !ok {
		t.Fatal("no digits")
	}
	defer src.Close()
	digits := w.digits
	if digits == 0 {
		digits = 10
	}
	set := src.Train
	if w.fresh {
		set = src.Val
	}
	seen := make([]int, 10)
	var m data.Image
	for i := range set.Len() {
		d := set.Label(i)
		if d >= digits || seen[d] >= w.train+w.val {
			continue
		}
		k := seen[d]
		seen[d]++
		if err := set.Read(i, &m); err != nil {
			t.Fatal(err)
		}
		pix := append([]uint8(nil), m.Pix...)
		if w.change != nil {
			w.change(pix)
		}
		class := d
		if w.label != nil {
			class = w.label(d, i)
		}
		part := "train"
		if k >= w.train {
			part = "val"
		}
		folder := filepath.Join(dir, part, fmt.Sprintf("class%d", class))
		if err := os.MkdirAll(folder, 0o777); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(filepath.Join(folder, fmt.Sprintf("%d.png", i)))
		if err != nil {
			t.Fatal(err)
		}
		err = png.Encode(f, &image.Gray{Pix: pix, Stride: m.W, Rect: image.Rect(0, 0, m.W, m.H)})
		if cerr := f.Close(); err != nil || cerr != nil {
			t.Fatal(err, cerr)
		}
	}
	return dir
}

func openCPU() (device.Device, error) { return cpu.New(2), nil }

// pretrain trains a network on a data set and returns the run's directory.
func pretrain(t *testing.T, model, data string, set func(*train.Config)) string {
	t.Helper()
	info, err := zoo.Lookup(model)
	if err != nil {
		t.Fatal(err)
	}
	c := train.Defaults(info)
	c.Data, c.Project, c.Device, c.Epochs = data, t.TempDir(), "cpu", 1
	if set != nil {
		set(&c)
	}
	dev, err := openCPU()
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	run, err := train.Start(context.Background(), c, dev)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if _, err := run.Train(context.Background()); err != nil {
		t.Fatal(err)
	}
	last := run.Rows()[len(run.Rows())-1]
	t.Logf("pretrained %s on %s: %.1f %%", model, filepath.Base(data), 100*last.Top1)
	return run.Dir.Path
}

// diagnose runs a diagnosis with the command's defaults, but for what set changes.
func diagnose(t *testing.T, model, weights, data, source string, set func(*train.Config)) *Report {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	info, err := zoo.Lookup(model)
	if err != nil {
		t.Fatal(err)
	}
	c := train.Defaults(info)
	c.Model, c.Weights, c.Data, c.Project, c.Device = model, weights, data, t.TempDir(), "cpu"
	c.Epochs, c.Batch, c.Opt, c.LR, c.WeightDecay, c.Sched, c.WarmupEpochs, c.LabelSmoothing = 10, 32, "adamw", 3e-3, 0.01, "cosine", 0, 0
	if set != nil {
		set(&c)
	}
	r, err := Run(context.Background(), Options{Config: c, SourceData: source, Open: openCPU})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Text(testWriter{t}); err != nil {
		t.Fatal(err)
	}
	return r
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) { w.t.Logf("\n%s", b); return len(b), nil }
