package train

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/device"
)

// train runs a training; stop, if not nil, ends it at an event.
func train(t *testing.T, open func(context.Context, ...Observer) (*Run, error), stop func(Event) bool) (*Run, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := open(ctx, func(e Event) {
		if stop != nil && stop(e) {
			cancel()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Train(ctx)
	if closing := r.Close(); closing != nil {
		t.Fatal(closing)
	}
	return r, err
}

// resume opens a run again, with the settings that it has written down.
func resume(t *testing.T, r *Run, dev device.Device) func(context.Context, ...Observer) (*Run, error) {
	return func(ctx context.Context, o ...Observer) (*Run, error) {
		c, err := LoadConfig(r.Dir.Path)
		if err != nil {
			return nil, err
		}
		return Resume(ctx, r.Dir.Path, c, dev, o...)
	}
}

// A run that was interrupted after a step, at the end of an epoch and in a validation, and continued each time, ends with the bits of one that was
// not, for every kind of state that there is: momentum, second moments, running statistics, moving averages, dropout.
func TestInterruptedEqualsUninterrupted(t *testing.T) {
	folder := writeStrokes(t, 10, 16)
	for _, c := range []struct {
		name, model string
		set         func(*Config)
	}{
		{"sgd", "lenet5_relu", func(c *Config) { c.Opt, c.Sched = "sgd", "step" }},
		{"rmsprop", "lenet5", func(c *Config) { c.Opt, c.LR, c.Sched, c.Momentum = "rmsprop", 0.001, "onecycle", 0.5 }},
		{"batch norm, average, adamw", "resnet20", func(c *Config) { c.Opt, c.LR, c.EMA, c.EMADecay, c.MixUp, c.CutMix = "adamw", 0.001, true, 0.9, 0.3, 1 }},
		{"dropout", "squeezenet1_1", func(c *Config) { c.Dropout, c.ImageSize, c.LR, c.ClipGrad, c.LabelSmoothing = 0.4, 32, 0.01, 1, 0.1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.model != "lenet5_relu" {
				t.Skip("larger networks")
			}
			config := defaults(t, c.model, t.TempDir())
			config.Data, config.Batch, config.Epochs, config.WarmupEpochs, config.SaveEvery = folder, 3, 3, 0.5, 2
			c.set(&config)
			dev := newDevice(t)
			begin := func(ctx context.Context, o ...Observer) (*Run, error) { return Start(ctx, config, dev, o...) }
			want, err := train(t, begin, nil)
			if err != nil {
				t.Fatal(err)
			}

			stops := []func(Event) bool{
				func(e Event) bool { s, ok := e.(Saved); return ok && s.Updates == 2 },
				func(e Event) bool { d, ok := e.(EpochDone); return ok && d.Epoch == 1 },
				func(e Event) bool { p, ok := e.(Progress); return ok && p.Step == p.Steps }, // its validation follows
			}
			got, err := train(t, begin, stops[0])
			for _, stop := range stops[1:] {
				if !errors.Is(err, ErrInterrupted) {
					t.Fatalf("error %v, want ErrInterrupted", err)
				}
				got, err = train(t, resume(t, got, dev), stop)
			}
			if !errors.Is(err, ErrInterrupted) {
				t.Fatalf("error %v, want ErrInterrupted", err)
			}
			got, err = train(t, resume(t, got, dev), nil)
			if err != nil {
				t.Fatal(err)
			}
			sameEnd(t, got, want)
		})
	}
}

// sameEnd checks that two runs have written the same bits, times aside.
func sameEnd(t *testing.T, got, want *Run) {
	t.Helper()
	for _, name := range []string{"best.safetensors", "last.safetensors"} {
		a, errA := os.ReadFile(got.Dir.File("weights", name))
		b, errB := os.ReadFile(want.Dir.File("weights", name))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs; %v, %v", name, errA, errB)
		}
	}
	rows := func(r *Run) []Row {
		rows := slices.Clone(r.Rows())
		for i := range rows {
			rows[i].Seconds = 0
		}
		return rows
	}
	if !slices.Equal(rows(got), rows(want)) {
		t.Errorf("rows %v\nwant %v", rows(got), rows(want))
	}
	tensors := func(r *Run) map[string][]float32 {
		files, err := r.stateFiles()
		if err != nil {
			t.Fatal(err)
		}
		f, err := checkpoint.Open(files[0])
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
	a, b := tensors(got), tensors(want)
	if len(a) != len(b) {
		t.Fatalf("%d tensors in the state, want %d", len(a), len(b))
	}
	for name := range b {
		if !slices.Equal(a[name], b[name]) {
			t.Errorf("%s differs", name)
		}
	}
}

// Corrupt samples are reported once each, many of them in sum.
func TestReportSkipped(t *testing.T) {
	config := defaults(t, "lenet5", t.TempDir())
	config.Data, config.Batch, config.Epochs, config.SkipCorrupt = writeStrokes(t, 20, 16), 4, 2, 9
	for _, name := range []string{"00", "02", "03", "07", "11", "13", "19"} {
		if err := os.WriteFile(filepath.Join(config.Data, "0", name+".png"), []byte("no picture"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var warnings []string
	dev := newDevice(t)
	r, err := train(t, func(ctx context.Context, o ...Observer) (*Run, error) {
		return Start(ctx, config, dev, append(o, func(e Event) {
			if w, ok := e.(Warning); ok {
				warnings = append(warnings, w.Message)
			}
		})...)
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.skipped); n != 7 {
		t.Errorf("%d samples reported, want 7", n)
	}
	if n := len(warnings); n == 0 || !strings.HasSuffix(warnings[n-1], "7 corrupt samples so far, of which --skip-corrupt tolerates 9") {
		t.Errorf("warnings %q", warnings)
	}

	config.SkipCorrupt = 0
	if _, err := Start(t.Context(), config, dev); !errors.Is(err, data.ErrCorrupt) {
		t.Errorf("none tolerated: error %v, want data.ErrCorrupt", err)
	}
}
