package loader

import (
	"errors"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/data/synth"
)

// Bytes, flips and the table give the very numbers of a loader that normalises by itself, for grey and colour, flips that come last and not, and channels
// in the other order.
func TestPixelsAreTheNumbers(t *testing.T) {
	for _, c := range []struct {
		name, set string
		channels  int
		change    func(*augment.Config)
	}{
		{"grey", "digits", 1, func(*augment.Config) {}},
		{"colour", "shapes", 3, func(*augment.Config) {}},
		{"flip last", "shapes", 3, func(c *augment.Config) { c.HFlip, c.CropPadding = 0.5, 4 }},
		{"flip, then more", "shapes", 3, func(c *augment.Config) { c.HFlip, c.VFlip, c.ColorJitter = 0.5, 0.5, [4]float64{0.4, 0.4, 0.4, 0} }},
		{"BGR in units of 255", "shapes", 3, func(c *augment.Config) {
			c.HFlip, c.BGR, c.Scale255, c.Mean, c.Std = 0.5, true, true, []float64{104, 117, 123}, []float64{1, 2, 3}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			src, _ := synth.Open(c.set, 0)
			cfg := augment.Default(21, 21, c.channels)
			c.change(&cfg)
			pipe, err := augment.Train(cfg)
			if err != nil {
				t.Fatal(err)
			}
			l, err := New(src.Train, pipe, Config{Batch: 7, Workers: 2, Seed: 5, Shuffle: true})
			if err != nil {
				t.Fatal(err)
			}
			p, table, size := l.Pixels(), pipe.Table(), pipe.Len()
			if p == nil {
				t.Fatal("no loader of bytes")
			}
			numbers, bytes := l.Epoch(t.Context(), 3, 0), p.Epoch(t.Context(), 3, 0)
			defer numbers.Close()
			defer bytes.Close()
			mirrored := 0
			for range 6 {
				want, err1 := numbers.Next()
				got, err2 := bytes.Next()
				if err := errors.Join(err1, err2); err != nil {
					t.Fatal(err)
				}
				if got.X != nil || len(got.Pix)%4 != 0 || !slices.Equal(got.T, want.T) || !slices.Equal(got.Index, want.Index) {
					t.Fatal("another batch")
				}
				for row := range got.N {
					mirrored += int(got.Flip[row])
					for i := range size {
						at, ch := i, i%c.channels
						if got.Flip[row] != 0 {
							at = i/c.channels/21*21*c.channels + (20-i/c.channels%21)*c.channels + ch
						}
						v := table[256*ch+int(got.Pix[row*size+at])]
						if w := want.X[row*size+i]; math.Float32bits(v) != math.Float32bits(w) {
							t.Fatalf("value %d of row %d is %v, want %v", i, row, v, w)
						}
					}
				}
				numbers.Release(want)
				bytes.Release(got)
			}
			if last := c.name == "flip last" || c.name == "colour" || c.channels == 3 && c.name != "flip, then more"; (mirrored > 0) != last {
				t.Errorf("%d of 42 images are left to the device to be mirrored", mirrored)
			}
		})
	}
}

// Where the host needs numbers there are no bytes; and a last batch that is not full ends in zeros.
func TestPixelsWhereTheyArePossible(t *testing.T) {
	src, _ := synth.Open("shapes", 0)
	for name, change := range map[string]func(*augment.Config, *Config){
		"mixup":   func(_ *augment.Config, c *Config) { c.Mix = Mix{MixUp: 0.2, Prob: 1} },
		"erasing": func(a *augment.Config, _ *Config) { a.ReProb = 0.5 },
	} {
		a, c := augment.Default(32, 32, 3), Config{Batch: 4}
		change(&a, &c)
		pipe, err := augment.Train(a)
		if err != nil {
			t.Fatal(err)
		}
		l, err := New(src.Train, pipe, c)
		if err != nil {
			t.Fatal(err)
		}
		if l.Pixels() != nil {
			t.Errorf("%s: bytes, although numbers are needed", name)
		}
	}
	pipe, err := augment.Train(augment.Default(5, 5, 3))
	if err != nil {
		t.Fatal(err)
	}
	n := src.Train.Len()
	l, err := New(src.Train, pipe, Config{Batch: n - 1})
	if err != nil {
		t.Fatal(err)
	}
	it := l.Pixels().Epoch(t.Context(), 0, 0)
	defer it.Close()
	for {
		b, err := it.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.Number == 1 && (b.N != 1 || slices.Max(b.Pix[75:]) != 0 || slices.Max(b.Flip[1:]) != 0) {
			t.Errorf("the rows behind the last of %d samples are not empty", b.N)
		}
		it.Release(b)
	}
}
