package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/data/loader"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
)

// Request says which features are wanted.
type Request struct {
	Weights    *graph.Weights
	Layer      *graph.Node // whose outputs are the features
	Source     *data.Source
	Preprocess augment.Preprocess // of the images: that of evaluation, for the same features in each epoch
	Precision  device.Precision
	Arithmetic string // names the device, how it computes and what decodes images, because the last bits depend on it
	Workers    int
	Dir        string                // of the cache
	Progress   func(done, total int) // images; nil is silent
	Warn       func(message string)  // of a cache that had to be made again; nil is silent
}

// A Cache holds the features of a data set's two parts, in a file. Close it after use.
type Cache struct {
	Path       string
	Computed   bool // now; otherwise they were there
	Train, Val *Set

	file *checkpoint.File
}

// Set is the features of one part of a data set. It is a loader.Tensors.
type Set struct {
	data.Dataset
	file *checkpoint.File
	part string
	size int
}

// Size returns the values of a sample.
func (s *Set) Size() int { return s.size }

// ReadTensor reads the features of sample i, (H, W, C).
func (s *Set) ReadTensor(i int, x []float32) error { return s.file.Float32sAt(s.part, i*s.size, x) }

// Close releases the file.
func (c *Cache) Close() error { return c.file.Close() }

// extractBatch is the batch size of the extraction. It is not the run's, so that runs that differ in it share the features.
const extractBatch = 32

// cacheFile is the name of the file in the folder of its key, and keyEntry the metadata that repeats the key.
const (
	cacheFile = "features.safetensors"
	keyEntry  = "cnnctl.features"
)

// Open returns the features, from the cache if they are there and every digest of them holds; otherwise it computes them. The cache is keyed by
// everything that they depend on: the values of the parameters above the layer, the digest of the data set and its split, the preprocessing, the
// device and the decoder of its images.
// A process that computes the same features at the same time is waited for.
//
// Errors wrap those of reading the data, of the disk, or ctx's. A process that is killed leaves nothing that a later one would take for features.
func Open(ctx context.Context, r Request) (*Cache, error) {
	key, err := r.key()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(r.Dir, key)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, checkpoint.ExplainWrite(dir, err)
	}
	unlock, err := checkpoint.Lock(ctx, filepath.Join(dir, ".lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := checkpoint.RemoveTemporary(dir); err != nil { // what a killed process has left
		return nil, err
	}
	path := filepath.Join(dir, cacheFile)
	c, err := r.load(path, key)
	switch {
	case err == nil:
		return c, nil
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, checkpoint.ErrCorrupt), errors.Is(err, checkpoint.ErrFormat), errors.Is(err, checkpoint.ErrNoTensor), errors.Is(err, checkpoint.ErrNoDigests):
		if r.Warn != nil {
			r.Warn(fmt.Sprintf("%v; the features are computed again", err))
		}
	default:
		return nil, err
	}
	if err := r.compute(ctx, path, key); err != nil {
		return nil, err
	}
	if c, err = r.load(path, key); err != nil {
		return nil, err
	}
	c.Computed = true
	return c, nil
}

// key names the features by what they depend on.
func (r Request) key() (string, error) {
	h := sha256.New()
	pre, err := json.Marshal(r.Preprocess)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(h, "1 %q %s %s %s %v\n", r.Arithmetic, r.Source.Digest, pre, r.Layer.Name, r.Layer.Out)
	for _, n := range r.Weights.Graph().Nodes() {
		fmt.Fprintf(h, "%s %v\n", n.Name, n.Op)
		for _, p := range n.Params {
			v := make([]float32, p.Len())
			if err := r.Weights.Get(p, v); err != nil {
				return "", err
			}
			fmt.Fprintf(h, "%s %v\n", p.Name, p.Dims)
			h.Write(device.Bytes(v))
		}
		if n == r.Layer {
			break
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:32], nil
}

// parts are the sets by the names of their tensors.
func (r Request) parts() map[string]data.Dataset {
	return map[string]data.Dataset{"train": r.Source.Train, "val": r.Source.Val}
}

// shape is that of the tensor of a part.
func (r Request) shape(set data.Dataset) []int {
	o := r.Layer.Out
	return []int{set.Len(), o.H, o.W, o.C}
}

// load opens the file and verifies it.
func (r Request) load(path, key string) (*Cache, error) {
	f, err := checkpoint.Open(path)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*Cache, error) { return nil, errors.Join(err, f.Close()) }
	if err := f.Verify(); err != nil {
		return fail(err)
	}
	if got := f.Metadata()[keyEntry]; got != key {
		return fail(fmt.Errorf("%s: want the features of key %s, got those of %q: %w", path, key, got, checkpoint.ErrCorrupt))
	}
	var wants []checkpoint.Want
	for name, set := range r.parts() {
		wants = append(wants, checkpoint.Want{Name: name, Shape: r.shape(set)})
	}
	if err := f.Match("", wants); err != nil {
		return fail(fmt.Errorf("%w: %w", checkpoint.ErrCorrupt, err))
	}
	set := func(name string) *Set { return &Set{r.parts()[name], f, name, r.Layer.Out.Size()} }
	return &Cache{Path: path, file: f, Train: set("train"), Val: set("val")}, nil
}

// PlanExtraction plans what Open runs on dev to compute the outputs of layer, beside the features that it then reads.
func PlanExtraction(g *graph.Graph, dev device.Device, layer *graph.Node, p device.Precision) (*graph.Plan, error) {
	return graph.PlanFeatures(g, dev, layer, graph.InferConfig{Batch: extractBatch, Precision: p})
}

// compute writes the file. The features pass through as they are computed: a trunk with large outputs may have more of them than fit the memory.
func (r Request) compute(ctx context.Context, path, key string) error {
	images := r.Source.Train.Len() + r.Source.Val.Len()
	if err := checkpoint.CheckWritable(filepath.Dir(path), 4*int64(images)*int64(r.Layer.Out.Size())+1<<20); err != nil {
		return err
	}
	pipe, err := r.Preprocess.Pipeline()
	if err != nil {
		return err
	}
	program, err := graph.CompileFeatures(r.Weights.Graph(), r.Weights, r.Layer, graph.InferConfig{Batch: extractBatch, Precision: r.Precision})
	if err != nil {
		return err
	}
	done := 0
	var tensors []checkpoint.Tensor
	var readers []*reader
	defer func() {
		for _, rd := range readers {
			rd.close()
		}
	}()
	for name, set := range r.parts() {
		l, err := loader.New(set, pipe, loader.Config{Batch: extractBatch, Workers: r.Workers})
		if err != nil {
			return err
		}
		rd := &reader{ctx: ctx, program: program, batches: l, out: make([]float32, extractBatch*program.Size()), progress: func(n int) {
			if done += n; r.Progress != nil {
				r.Progress(done, images)
			}
		}}
		readers = append(readers, rd)
		tensors = append(tensors, checkpoint.Tensor{Name: name, Shape: r.shape(set), DType: checkpoint.F32, Open: func() (io.Reader, error) {
			rd.it = l.Epoch(ctx, 0, 0)
			return rd, nil
		}})
	}
	return checkpoint.Write(path, tensors, map[string]string{keyEntry: key})
}

// reader computes the features of a part while they are read, as bytes.
type reader struct {
	ctx      context.Context
	program  *graph.Features
	batches  *loader.Loader
	it       *loader.Iter
	out      []float32
	rest     []byte // of out, to be read
	progress func(images int)
}

func (r *reader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		b, err := r.it.Next()
		if err != nil {
			return 0, err // io.EOF at the end
		}
		if err := r.program.Run(b.X, r.out); err != nil {
			return 0, err
		}
		r.rest = device.Bytes(r.out)[:4*b.N*r.program.Size()]
		r.progress(b.N)
		r.it.Release(b)
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *reader) close() {
	if r.it != nil {
		r.it.Close()
	}
}
