package train

import (
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/cnnctl/cnnctl/cpu"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/philox"
	"github.com/cnnctl/cnnctl/zoo"
)

func newDevice(t *testing.T) device.Device {
	t.Helper()
	d := cpu.New(2)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// newWeights builds a model of the zoo with weights drawn from seed 1.
func newWeights(t *testing.T, model string, in graph.Shape, classes int) *graph.Weights {
	t.Helper()
	g, err := zoo.Build(model, in, classes, zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := graph.NewWeights(g, newDevice(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Init(1); err != nil {
		t.Fatal(err)
	}
	return w
}

// defaults returns the settings of a model, for the project dir.
func defaults(t *testing.T, model, dir string) Config {
	t.Helper()
	info, err := zoo.Lookup(model)
	if err != nil {
		t.Fatal(err)
	}
	c := Defaults(info)
	c.Project, c.Device = dir, "cpu"
	return c
}

// writeStrokes makes a data set of n PNG pictures in each of two classes, an upright and a lying bar under noise, and returns its folder.
func writeStrokes(t *testing.T, n, side int) string {
	t.Helper()
	dir := t.TempDir()
	for class := range 2 {
		sub := filepath.Join(dir, fmt.Sprint(class))
		if err := os.Mkdir(sub, 0o777); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			r := philox.New(3, philox.Test, class, i)
			m := image.NewGray(image.Rect(0, 0, side, side))
			for j := range m.Pix {
				m.Pix[j] = uint8(r.IntN(100))
				if at := [2]int{j % side, j / side}[class]; at == side/2 {
					m.Pix[j] += 120
				}
			}
			f, err := os.Create(filepath.Join(sub, fmt.Sprintf("%02d.png", i)))
			if err != nil {
				t.Fatal(err)
			}
			if err := png.Encode(f, m); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}
