package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cnnctl/cnnctl/cpu"
	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/philox"
	"github.com/cnnctl/cnnctl/train/transfer"
)

// noise is a data set of n random pictures of 16x16 pixels.
type noise struct {
	n, seed int
	reads   *int
	mu      *sync.Mutex
}

func (s noise) Len() int          { return s.n }
func (s noise) Classes() []string { return []string{"a", "b", "c"} }
func (s noise) Label(i int) int   { return i % 3 }
func (s noise) Name(i int) string { return fmt.Sprintf("picture %d", i) }
func (s noise) Channels() int     { return 3 }
func (s noise) Read(i int, m *data.Image) error {
	s.mu.Lock()
	*s.reads++
	s.mu.Unlock()
	m.Reset(16, 16, 3)
	r := philox.New(uint64(s.seed), philox.Test, 0, i)
	for j := range m.Pix {
		m.Pix[j] = uint8(r.IntN(256))
	}
	return nil
}

// request asks for the features of 40 and 7 pictures behind layer2 of a small network; reads counts the pictures that were read.
func request(t *testing.T) (r transfer.Request, reads *int) {
	t.Helper()
	dev := cpu.New(2)
	t.Cleanup(func() { dev.Close() })
	g := network(resnetLike...)
	g.Freeze(func(p *graph.Param) bool { return !strings.HasPrefix(p.Name, "fc.") })
	w, err := graph.NewWeights(g, dev)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Init(1); err != nil {
		t.Fatal(err)
	}
	reads = new(int)
	mu := new(sync.Mutex)
	pre := augment.Preprocess{Size: [2]int{16, 16}, Channels: 3, Resize: augment.ResizeExact, ResizeTo: []int{16, 16}, Crop: "center",
		Interpolation: augment.Bilinear, Scale: 1, Mean: []float64{0.5, 0.5, 0.5}, Std: []float64{0.2, 0.2, 0.2}}
	return transfer.Request{Weights: w, Layer: g.Cut(), Preprocess: pre, Workers: 2, Dir: t.TempDir(),
		Source: &data.Source{Train: noise{40, 1, reads, mu}, Val: noise{7, 2, reads, mu}, Digest: "digest"}}, reads
}

// open opens the features and reads all of the training part.
func open(t *testing.T, r transfer.Request) (*transfer.Cache, [][]float32) {
	t.Helper()
	c, err := transfer.Open(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	rows := make([][]float32, c.Train.Len())
	for i := range rows {
		rows[i] = make([]float32, c.Train.Size())
		if err := c.Train.ReadTensor(i, rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	return c, rows
}

// Features are those of the network, each at its place, and the second time they are read and not computed.
func TestCache(t *testing.T) {
	r, reads := request(t)
	var progress []int
	r.Progress = func(done, total int) { progress = append(progress, done*100/total) }
	c, rows := open(t, r)
	if !c.Computed || *reads != 47 || !slices.Equal(progress, []int{68, 85, 100}) {
		t.Errorf("computed: %v, %d pictures read, progress %v", c.Computed, *reads, progress)
	}
	if c.Train.Len() != 40 || c.Val.Len() != 7 || c.Val.Label(4) != 1 || c.Train.Size() != r.Layer.Out.Size() {
		t.Errorf("%d and %d features of %d values", c.Train.Len(), c.Val.Len(), c.Train.Size())
	}
	pipe, err := r.Preprocess.Pipeline()
	if err != nil {
		t.Fatal(err)
	}
	program, err := graph.CompileFeatures(r.Weights.Graph(), r.Weights, r.Layer, graph.InferConfig{Batch: 1})
	if err != nil {
		t.Fatal(err)
	}
	var work augment.Work
	x, want := make([]float32, pipe.Len()), make([]float32, program.Size())
	for _, i := range []int{0, 31, 32, 39} {
		if err := r.Source.Train.Read(i, work.Image()); err != nil {
			t.Fatal(err)
		}
		if err := pipe.Apply(nil, &work, x); err != nil {
			t.Fatal(err)
		}
		if err := program.Run(x, want); err != nil {
			t.Fatal(err)
		}
		for j, v := range want {
			if math.Abs(float64(v-rows[i][j])) > 1e-5 {
				t.Fatalf("sample %d: value %d is %v, want %v", i, j, rows[i][j], v)
			}
		}
	}
	before := *reads
	again, same := open(t, r)
	if again.Computed || *reads != before || again.Path != c.Path || !slices.EqualFunc(rows, same, slices.Equal) {
		t.Errorf("the second time they were computed: %v, or are others", again.Computed)
	}
}

// Whatever the features depend on is a part of their key.
func TestCacheKey(t *testing.T) {
	r, _ := request(t)
	first, _ := open(t, r)
	same := func(change func(r *transfer.Request)) bool {
		t.Helper()
		other := r
		source := *r.Source
		other.Source = &source
		change(&other)
		c, _ := open(t, other)
		return c.Path == first.Path
	}
	if !same(func(r *transfer.Request) { r.Workers = 1 }) {
		t.Error("the number of workers makes other features")
	}
	for name, change := range map[string]func(r *transfer.Request){
		"the data":          func(r *transfer.Request) { r.Source.Digest = "another" },
		"the preprocessing": func(r *transfer.Request) { r.Preprocess.Order = "bgr" },
		"the device":        func(r *transfer.Request) { r.Arithmetic = "another" },
		"the layer":         func(r *transfer.Request) { r.Layer = r.Layer.In[0] },
	} {
		if same(change) {
			t.Errorf("%s does not matter", name)
		}
	}
	zero := func(p *graph.Param) {
		t.Helper()
		if err := r.Weights.Set(p, make([]float32, p.Len())); err != nil {
			t.Fatal(err)
		}
	}
	zero(r.Weights.Graph().Params()[0]) // the first filters
	if same(func(*transfer.Request) {}) {
		t.Error("the weights do not matter")
	}
	// The head does not, nor does anything else behind the layer.
	now, _ := open(t, r)
	zero(transfer.HeadParams(r.Weights.Graph())[0])
	if c, _ := open(t, r); c.Path != now.Path || c.Computed {
		t.Error("the head makes other features")
	}
}

// A file that was damaged, in any place, or cut off, or is of another key, is told of and made again.
func TestDamagedCache(t *testing.T) {
	r, _ := request(t)
	c, want := open(t, r)
	sound, err := os.ReadFile(c.Path)
	if err != nil {
		t.Fatal(err)
	}
	half := sound[:len(sound)/2]
	flipped := slices.Clone(sound)
	flipped[len(flipped)-100] ^= 1
	header := slices.Clone(sound)
	header[20] ^= 1
	for name, b := range map[string][]byte{"cut off": half, "a bit": flipped, "the header": header, "empty": nil, "something else": []byte("no features at all, but some text")} {
		if err := os.WriteFile(c.Path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		var warnings []string
		r.Warn = func(text string) { warnings = append(warnings, text) }
		got, rows := open(t, r)
		if !got.Computed || len(warnings) != 1 || !strings.Contains(warnings[0], "computed again") {
			t.Errorf("%s: computed %v, warnings %q", name, got.Computed, warnings)
		}
		if !slices.EqualFunc(rows, want, slices.Equal) {
			t.Errorf("%s: other features", name)
		}
	}
}

// What a killed process leaves is cleared away; one that is stopped leaves nothing that counts.
func TestInterruptedCache(t *testing.T) {
	r, _ := request(t)
	ctx, cancel := context.WithCancel(t.Context())
	r.Progress = func(int, int) { cancel() }
	if _, err := transfer.Open(ctx, r); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	files, err := filepath.Glob(filepath.Join(r.Dir, "*", "*"))
	if err != nil || len(files) != 1 || filepath.Base(files[0]) != ".lock" {
		t.Errorf("it left %v, %v, want the lock alone", files, err)
	}
	dirs, _ := filepath.Glob(filepath.Join(r.Dir, "*"))
	if len(dirs) != 1 {
		t.Fatalf("folders %v", dirs)
	}
	left := filepath.Join(dirs[0], ".features.safetensors.cnnctl-tmp-1-0")
	if err := os.WriteFile(left, []byte("half"), 0o666); err != nil {
		t.Fatal(err)
	}
	r.Progress = nil
	c, _ := open(t, r)
	if _, err := os.Stat(left); !c.Computed || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("computed %v; what a killed process has left: %v", c.Computed, err)
	}
}

// Of processes that want the same features at once, one computes them.
func TestCacheIsLocked(t *testing.T) {
	r, reads := request(t)
	var wg sync.WaitGroup
	computed := make([]bool, 4)
	for i := range computed {
		mine := r
		// Programs of one device are not for several goroutines at once, so each has its own, as processes have.
		other, _ := request(t)
		mine.Weights, mine.Layer = other.Weights, other.Layer
		wg.Go(func() {
			c, err := transfer.Open(t.Context(), mine)
			if err != nil {
				t.Error(err)
				return
			}
			computed[i] = c.Computed
			c.Close()
		})
	}
	wg.Wait()
	n := 0
	for _, is := range computed {
		if is {
			n++
		}
	}
	if n != 1 || *reads != 47 {
		t.Errorf("%d of 4 computed the features, and %d pictures were read, want 1 and 47", n, *reads)
	}
}
