package data

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shared returns a path in the folder of test data that may lie next to the repository, and skips without it.
func shared(t testing.TB, parts ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("there is no go.mod above the working directory")
		}
		dir = up
	}
	p := filepath.Join(append([]string{filepath.Dir(dir), "shared", "data"}, parts...)...)
	if _, err := os.Stat(p); err != nil {
		t.Skip("no test data:", err)
	}
	return p
}

func TestRealIDX(t *testing.T) {
	for _, c := range []struct {
		name      string
		mean, std float64 // of the training part, as published everywhere
	}{{"mnist", 0.1307, 0.3081}, {"fashion-mnist", 0.2860, 0.3530}} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, shared(t, c.name), Options{})
			if s.Train.Len() != 60000 || s.Val.Len() != 10000 || len(s.Train.Classes()) != 10 {
				t.Errorf("%d and %d samples of %d classes", s.Train.Len(), s.Val.Len(), len(s.Train.Classes()))
			}
			st, err := Stats(t.Context(), s.Train, s.Train.Len())
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(st.Mean[0]-c.mean) > 5e-5 || math.Abs(st.Std[0]-c.std) > 5e-5 || st.MinW != 28 || st.MaxH != 28 {
				t.Errorf("%+v, want mean %v and deviation %v", st, c.mean, c.std)
			}
		})
	}
}

// Really truncated downloads are named together with what is missing.
func TestRealTruncatedIDX(t *testing.T) {
	for _, c := range []struct{ file, images, labels, want string }{
		{"fashion-train-images-TRUNCATED-1578568B.gz", "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "promises 47040000 bytes"},
		{"kmnist-t10k-images-TRUNCATED-32768B.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", "promises 7840000 bytes"},
	} {
		t.Run(c.file, func(t *testing.T) {
			raw, err := os.ReadFile(shared(t, "truncated", c.file))
			if err != nil {
				t.Fatal(err)
			}
			dir := content{c.images: raw, c.labels: idxFile([]int{10000}, make([]uint8, 10000))}.folder(t)
			_, err = Open(dir, Options{})
			if text := fmt.Sprint(err); !errors.Is(err, ErrCorrupt) || !strings.Contains(text, c.want) || !strings.Contains(text, filepath.Join(dir, c.images)) {
				t.Errorf("got %v, want ErrCorrupt, the path and %q", err, c.want)
			}
		})
	}
}

func TestRealFolders(t *testing.T) {
	for _, c := range []struct {
		name       string
		train, val int
		classes    string
	}{
		{"flowers128", 3668, 649, "daisy dandelion rose sunflower tulip"},
		{"hymenoptera", 245, 153, "ants bees"}, // 244 and one GIF
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, shared(t, c.name), Options{})
			if got := strings.Join(s.Train.Classes(), " "); s.Train.Len() != c.train || s.Val.Len() != c.val || got != c.classes {
				t.Errorf("%d and %d samples of %q, want %d and %d of %q", s.Train.Len(), s.Val.Len(), got, c.train, c.val, c.classes)
			}
			st, err := Stats(t.Context(), s.Val, 30)
			if err != nil {
				t.Fatal(err)
			}
			if st.Measured != 30 || st.Mean[0] < 0.3 || st.Mean[0] > 0.7 {
				t.Errorf("%+v does not look like photographs", st)
			}
		})
	}
}

func TestRealGIFAmongJPEGs(t *testing.T) {
	s := open(t, shared(t, "hymenoptera"), Options{})
	for i := range s.Train.Len() {
		if strings.HasSuffix(s.Train.Name(i), ".gif") {
			var m Image
			if err := s.Train.Read(i, &m); err != nil || m.W != 300 || m.H != 300 {
				t.Errorf("%s: %d x %d, %v; want 300 x 300", s.Train.Name(i), m.W, m.H, err)
			}
			return
		}
	}
	t.Error("the GIF is not among the samples")
}

func TestRealCompressedTar(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 60,000 files")
	}
	s := open(t, shared(t, "cifar10-jpg.tar.gz"), Options{})
	if s.Format != "folder.tar.gz" || s.Train.Len() != 50000 || s.Val.Len() != 10000 || len(s.Train.Classes()) != 10 {
		t.Errorf("%s: %d and %d samples of %d classes", s.Format, s.Train.Len(), s.Val.Len(), len(s.Train.Classes()))
	}
	st, err := Stats(t.Context(), s.Train, 2000)
	if err != nil {
		t.Fatal(err)
	}
	// The published means of CIFAR-10's channels are 0.4914, 0.4822 and 0.4465.
	for ch, want := range []float64{0.4914, 0.4822, 0.4465} {
		if math.Abs(st.Mean[ch]-want) > 0.01 {
			t.Errorf("mean of channel %d is %v, want %v", ch, st.Mean[ch], want)
		}
	}
}

func TestRealImagesWithoutClasses(t *testing.T) {
	_, err := Open(shared(t, "imagenet-sample200"), Options{})
	if !errors.Is(err, ErrFormat) || !strings.Contains(fmt.Sprint(err), "lie in no class folders") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"mnist", "flowers128"} {
		b.Run(name, func(b *testing.B) {
			s := open(b, shared(b, name), Options{})
			var m Image
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := s.Train.Read(i%s.Train.Len(), &m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
