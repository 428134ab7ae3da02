package graph

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/cnnctl/cnnctl/cpu/ref"
	"github.com/cnnctl/cnnctl/device"
)

const randomGraphs = 300

// configs are a training and an evaluation, in float32 and in bf16.
func configs() []*config {
	var list []*config
	for _, p := range []device.Precision{device.FP32, device.BF16} {
		list = append(list, TrainConfig{Batch: 2, Precision: p, Optimizer: SGD{Momentum: 0.9}, EMA: true}.config(), InferConfig{2, p}.config())
	}
	return list
}

// Buffers that are alive at the same time do not share memory, unless one takes over from the other in a call that permits it.
func TestLiveBuffersDoNotOverlap(t *testing.T) {
	shared, inPlace := 0, 0
	for seed := range randomGraphs {
		g := randomGraph(seed)
		for _, cfg := range configs() {
			e, p, err := dryRun(g, greedy{ref.New()}, cfg)
			if err != nil {
				t.Fatal(err)
			}
			first, last := lifetimes(e)
			for i, a := range e.order {
				if a.offset() < 0 || a.offset()%device.Align != 0 || a.offset()+a.bytes > p.Arena {
					t.Fatalf("graph %d: buffer %d lies at [%d, %d) of %d", seed, i, a.offset(), a.offset()+a.bytes, p.Arena)
				}
				for j, b := range e.order[:i] {
					if a.offset() >= b.offset()+b.bytes || b.offset() >= a.offset()+a.bytes {
						continue
					}
					if first[i] > last[j] || first[j] > last[i] {
						shared++
						continue
					}
					inPlace++
					if !takesOver(e, a, b, first, last) && !takesOver(e, b, a, first, last) {
						t.Fatalf("graph %d: buffers %d and %d, used in calls %d-%d and %d-%d, overlap at %d and %d",
							seed, i, j, first[i], last[i], first[j], last[j], a.offset(), b.offset())
					}
				}
			}
		}
	}
	if shared < 1000 || inPlace < 1000 {
		t.Errorf("%d pairs share memory after each other, %d in place: the graphs are too simple to show anything", shared, inPlace)
	}
}

// lifetimes finds out anew, from the operands of the calls, when each buffer is used.
func lifetimes(e *Emit) (first, last []int) {
	first, last = make([]int, len(e.order)), make([]int, len(e.order))
	for i, b := range e.order {
		first[i], last[i] = len(e.calls), -1
		if b.pinned {
			first[i], last[i] = 0, len(e.calls)
		}
	}
	for now, c := range e.calls {
		for _, m := range operands(c.call) {
			if m.Arena < 0 {
				i := -1 - m.Arena
				first[i], last[i] = min(first[i], now), max(last[i], now)
			}
		}
	}
	return first, last
}

// takesOver reports whether dst begins to live in the memory of src in the very call that uses src last, which must permit it.
func takesOver(e *Emit, dst, src *buffer, first, last []int) bool {
	now := first[dst.id]
	if last[src.id] != now || src.pinned || dst.pinned || dst.offset() != src.offset() || dst.bytes != src.bytes {
		return false
	}
	for _, pair := range aliases(e.calls[now].call) {
		if int(-1-pair.dst.Arena) == dst.id && int(-1-pair.src.Arena) == src.id {
			return true
		}
	}
	return false
}

type alias struct{ dst, src device.Mem }

// aliases lists which output of a call may be which input, as package device documents it.
func aliases(c device.Call) []alias {
	switch c := c.(type) {
	case device.ActForward:
		return []alias{{c.Y, c.X}}
	case device.ActBackward:
		if !c.Accumulate {
			return []alias{{c.DX, c.DY}}
		}
	case device.BatchNormMaxPoolBackward:
		if !c.Accumulate {
			return []alias{{c.DX, c.X}}
		}
	case device.Add:
		return []alias{{c.Y, c.A}, {c.Y, c.B}}
	case device.Copy:
		if !c.Accumulate {
			return []alias{{c.Dst, c.Src}}
		}
	case device.Dropout:
		if !c.Accumulate {
			return []alias{{c.Y, c.X}}
		}
	case device.Softmax:
		return []alias{{c.Y, c.X}}
	case device.SoftmaxCrossEntropy:
		return []alias{{c.DLogits, c.Logits}}
	case device.BatchNormForward:
		return []alias{{c.Y, c.Residual}}
	case device.BatchNormInference:
		return []alias{{c.Y, c.X}, {c.Y, c.Residual}}
	case device.BatchNormBackward:
		list := gradientAliases(c.EpilogueGradient, c.DY, c.DX, c.Accumulate)
		if !c.Accumulate {
			list = append(list, alias{c.DX, c.X})
		}
		return list
	case device.BatchNormFrozenBackward:
		return gradientAliases(c.EpilogueGradient, c.DY, c.DX, c.Accumulate)
	}
	return nil
}

// gradientAliases lists the gradients that may be dy: the input's or the residual's.
func gradientAliases(g device.EpilogueGradient, dy, dx device.Mem, accumulate bool) (list []alias) {
	if !accumulate {
		list = append(list, alias{dx, dy})
	}
	if !g.AccumulateResidual {
		list = append(list, alias{g.DResidual, dy})
	}
	return list
}

// operands returns every operand of a call, whatever its type: the fields of type device.Mem.
func operands(c device.Call) []device.Mem {
	var ms []device.Mem
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		if m, ok := v.Interface().(device.Mem); ok {
			ms = append(ms, m)
		} else if v.Kind() == reflect.Struct {
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		}
	}
	walk(reflect.ValueOf(c))
	return ms
}

// A program whose buffers share memory computes the same bits as one in which every buffer has its own; and neither reads what
// nobody has written, for all memory begins as NaN.
func TestMemoryReuseChangesNothing(t *testing.T) {
	for seed := range randomGraphs {
		g := randomGraph(seed)
		p := []device.Precision{device.FP32, device.BF16}[seed%2]
		reused, apart := slices.Concat(trainedBits(t, g, p, false)), slices.Concat(trainedBits(t, g, p, true))
		if i := slices.IndexFunc(reused, func(v float64) bool { return v != v }); i >= 0 {
			t.Fatalf("graph %d: value %d of the result is NaN", seed, i)
		}
		if !slices.Equal(reused, apart) {
			t.Fatalf("graph %d: memory reuse changes the result", seed)
		}
	}
}

// trainedBits trains g for three steps and evaluates it. It returns losses, gradient norms, gradients, weights and their average, and of the evaluation
// the loss and the logits.
func trainedBits(t *testing.T, g *Graph, p device.Precision, apart bool) (out, evaluation []float64) {
	t.Helper()
	dev := greedy{ref.New()}
	w := randomWeights(t, g, dev.Device)
	w.dev = dev
	c := TrainConfig{Batch: 2, Precision: p, Seed: 5, Optimizer: AdamW{0.9, 0.999, 1e-8}, EMA: true, ClipNorm: 1}
	mem, err := newTraining(g, w, c)
	if err != nil {
		t.Fatal(err)
	}
	tr := &Training{training: *mem, trained: w.trained, opt: c.Optimizer}
	bound := func(cfg *config, state *training) program {
		e, plan, err := dryRun(g, dev, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if apart {
			plan.Arena = spread(e.order)
		}
		arena, err := newArena(dev, plan.Arena, cfg.batch)
		if err != nil {
			t.Fatal(err)
		}
		p, err := bind(e, plan, w, state, arena)
		if err != nil {
			t.Fatal(err)
		}
		poison(dev.Device, p.arena)
		return p
	}
	tr.program = bound(c.config(), &tr.training)
	x, y := randomBatch(g, 2)
	for i := range 3 {
		if err := tr.Step(x, y, i, 0.01, 0.9); err != nil {
			t.Fatal(err)
		}
		out = append(out, dev.Float64s(tr.stats)...)
		out = append(out, dev.Float64s(tr.norm)...)
	}
	out = append(out, dev.Float64s(tr.grad)...)
	out = append(out, dev.Float64s(w.slab)...)
	out = append(out, dev.Float64s(tr.ema.slab)...)
	inf := &Inference{program: bound(InferConfig{2, p}.config(), nil)}
	if _, err := inf.Run(x, y, nil); err != nil {
		t.Fatal(err)
	}
	return out, slices.Concat(dev.Float64s(inf.stats), dev.Float64s(inf.out))
}

// spread gives every buffer memory of its own and returns the size of all.
func spread(bufs []*buffer) (arena int64) {
	for _, b := range bufs {
		b.into, b.off = nil, arena
		arena += b.size()
	}
	return arena
}

// A chain of layers needs its largest two neighbours and no more, and in-place layers nothing.
func TestArenaOfChain(t *testing.T) {
	g := New(Shape{H: 8, W: 8, C: 1})
	x := g.Input()
	for i, filters := range []int{16, 64, 32, 8} {
		x = g.Add(fmt.Sprint("conv", i), Conv2D{Filters: filters, Window: win(3, 1, Same())}, x)
		x = g.Add(fmt.Sprint("softmax", i), Softmax{}, x)
		x = g.Add(fmt.Sprint("tanh", i), Tanh(), x)
	}
	p, err := PlanInference(g, ref.New(), InferConfig{Batch: 1})
	if err != nil {
		t.Fatal(err)
	}
	const image = 8 * 8 * 4                          // bytes of one channel
	host := image + image*8 + device.Align + image*8 // batch, targets, statistics, logits
	want := int64(host - image*8 + image*(64+32) + image*8)
	if p.Arena != p.Peak || p.Peak != want {
		t.Errorf("arena %d, peak %d, want %d", p.Arena, p.Peak, want)
	}
}

// Of the two inputs of a sum the second takes over the gradient's memory.
func TestSumGivesItsGradientAway(t *testing.T) {
	g := New(Shape{H: 2, W: 2, C: 3})
	conv := Conv2D{Filters: 2, Window: win(1, 1, Valid())}
	g.Add("head", Linear{Out: 3}, g.Add("sum", Add{}, g.Add("a", conv, g.Input()), g.Add("b", conv, g.Input())))
	var inPlace []bool
	for _, c := range newRig(t, g, TrainConfig{Batch: 2}).tr.calls {
		if p, ok := c.call.(device.Copy); ok {
			inPlace = append(inPlace, p.InPlace())
		}
	}
	if want := []bool{false, true}; !slices.Equal(inPlace, want) {
		t.Errorf("copies in place: %v, want %v", inPlace, want)
	}
}
