package train

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
)

// limited is a device on which so many bytes are free. It counts what is allocated.
type limited struct {
	device.Device
	device.Workspacer
	free, taken int64
}

func (s *limited) Free() (int64, error) { return s.free, nil }

func (s *limited) Alloc(n int64) (device.Mem, error) {
	s.taken += n
	return s.Device.Alloc(n)
}

func newLimited(t *testing.T, free int64) *limited {
	d := newDevice(t)
	return &limited{Device: d, Workspacer: d.(device.Workspacer), free: free}
}

// What does not fit is refused before anything is allocated, with the largest batch size that does; and that one does.
func TestBatchSizeThatDoesNotFit(t *testing.T) {
	c := defaults(t, "lenet5_relu", t.TempDir())
	c.Data, c.Batch, c.Epochs = writeStrokes(t, 60, 16), 64, 0
	fits := func(free int64, batch int) error {
		dev := newLimited(t, free)
		c.Batch = batch
		r, err := Start(t.Context(), c, dev)
		if err != nil {
			if dev.taken > 0 {
				t.Errorf("%d bytes were allocated before the error %v", dev.taken, err)
			}
			return err
		}
		if dev.taken > free {
			t.Errorf("a batch size of %d takes %d of %d bytes", batch, dev.taken, free)
		}
		return r.Close()
	}
	var e *MemoryError
	if err := fits(headroom, 64); !errors.As(err, &e) {
		t.Fatalf("no room: got error %v, want a MemoryError", err)
	}
	free := headroom + (e.Want-headroom)*3/4 // what is wanted depends on the kernels
	if err := fits(free, 64); !errors.As(err, &e) || e.Want <= free || e.Free != free || e.Largest < 1 || e.Largest >= 64 {
		t.Fatalf("got error %v, want a MemoryError with the sizes", err)
	}
	var oom *device.OutOfMemoryError
	if text := e.Error(); !errors.As(e, &oom) || !strings.Contains(text, fmt.Sprintf("wanted %d bytes, %d are free", e.Want, free)) ||
		!strings.Contains(text, fmt.Sprintf("give --batch-size %d or --batch-size auto", e.Largest)) {
		t.Errorf("the error says %q", text)
	}
	if err := fits(free, e.Largest); err != nil {
		t.Errorf("the largest batch size: %v", err)
	}
	if err := fits(free, e.Largest+1); !errors.As(err, &e) {
		t.Errorf("one more than the largest batch size: got error %v, want a MemoryError", err)
	}
	if err := fits(headroom, 1); !errors.As(err, &e) || e.Largest != 0 || !strings.Contains(e.Error(), "not even a batch size of 1") {
		t.Errorf("no room at all: got error %v", err)
	}
}

func TestAutomaticBatchSize(t *testing.T) {
	c := defaults(t, "lenet5_relu", t.TempDir())
	c.Data, c.Epochs = writeStrokes(t, 60, 16), 0
	for _, k := range []struct {
		free     int64
		min, max int
	}{{1 << 40, 8, 8}, {(headroom + 4<<20) * 4 / 3, 1, 8}, {headroom + 2<<20, 1, 1}} { // a tenth of 102 samples; the memory; more than the share
		c.Batch = AutoBatch
		r, err := Start(t.Context(), c, newLimited(t, k.free))
		if err != nil {
			t.Fatal(err)
		}
		written, err := LoadConfig(r.Dir.Path)
		if b := r.Config.Batch; err != nil || b < k.min || b > k.max || written.Batch != b {
			t.Errorf("%d bytes free: batch size %d, in args.yaml %d, %v; want %d to %d", k.free, b, written.Batch, err, k.min, k.max)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	c.Batch = AutoBatch
	dev := struct{ device.Device }{newDevice(t)}
	if _, err := Start(t.Context(), c, dev); !errors.Is(err, ErrConfig) {
		t.Errorf("a device that does not tell its memory: got error %v, want ErrConfig", err)
	}
}

// What fine-tuning wants is what it takes: without gradients, activations and optimiser state of frozen layers, and with cached features without
// the batch in the trunk.
func TestMemoryOfFinetuning(t *testing.T) {
	folder := writeStrokes(t, 60, 32)
	weights := writePretrained(t, "resnet20", graph.Shape{H: 32, W: 32, C: 3}, 7)
	wants, batches := map[string]int64{}, map[string]int{}
	for _, strategy := range []string{"full", "head", "features"} {
		c := tuned(t, "resnet20", folder, weights, strategy)
		c.Epochs, c.Batch = 0, 64
		var e *MemoryError
		if _, err := Start(t.Context(), c, newLimited(t, 0)); !errors.As(err, &e) {
			t.Fatalf("%s: no room: got error %v, want a MemoryError", strategy, err)
		}
		wants[strategy] = e.Want - headroom
		dev := newLimited(t, e.Want)
		r, err := Start(t.Context(), c, dev)
		if err != nil {
			t.Fatalf("%s: %v", strategy, err)
		}
		if w := wants[strategy]; dev.taken > w || dev.taken < w*9/10 {
			t.Errorf("%s: wanted %d bytes and took %d", strategy, w, dev.taken)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		c.Batch = AutoBatch
		if r, err = Start(t.Context(), c, newLimited(t, (headroom+wants["full"]/8)*4/3)); err != nil {
			t.Fatalf("%s, automatic: %v", strategy, err)
		}
		batches[strategy] = r.Config.Batch
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if w := wants; w["features"] >= w["head"] || w["head"] >= w["full"]*2/3 {
		t.Errorf("wanted %d bytes for all layers, %d for the head and %d with features", w["full"], w["head"], w["features"])
	}
	if b := batches; b["full"] >= b["head"] || b["head"] > b["features"] {
		t.Errorf("batch sizes %v, want larger ones where less is kept", b)
	}
}
