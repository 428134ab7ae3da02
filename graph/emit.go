package graph

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// Emit is what an op talks to while its calls are laid down. A program is emitted twice: the first time operands are place holders and Emit
// notes which call touches which buffer; from that the memory plan follows; the second time operands are real and each call is bound. An
// op never needs to know which time it is.
//
// The accessors (In, Out, Grad, ...) must be called while the arguments of a Do are built, for this is how Emit learns what a call touches.
type Emit struct {
	g       *Graph
	cfg     *config
	dev     device.Device
	root    []int              // node index -> index of the node whose memory holds its output
	host    []int              // node index -> index of the node whose call computes its output
	fused   []device.Act       // node index -> activation that the node applies to its own output
	folded  []*Node            // node index -> batch norm in the node's weights, or nil
	added   []*Node            // node index -> node whose output the node adds to its own, or nil
	pooled  []*Node            // node index -> max-pooling that the node applies to its own output, or nil
	needs   []bool             // node index -> a trainable parameter lies at or above the node
	part    []bool             // node index -> the program computes the node
	bufs    map[bufKey]*buffer // everything in the arena
	order   []*buffer          // bufs in order of creation
	written map[bufKey]bool    // gradients that have a value already
	touched []*buffer          // since the last Do

	weights *Weights
	train   *training // nil for inference
	arena   device.Mem

	node    *Node
	pass    pass
	calls   []callRecord
	steps   []device.Step // second emission only
	derived []device.Step // the same for calls of Derive
	grouped []int         // calls of each group that the device runs as one
	second  bool
	err     error
}

type pass uint8

const (
	forward pass = iota
	backward
	update
)

func (p pass) String() string { return [...]string{"forward", "backward", "update"}[p] }

// callRecord is one call of a program, for the planner, for reports, and for the search for the layer that diverged.
type callRecord struct {
	node *Node // nil for the loss and the update
	pass pass
	call device.Call
	bufs []*buffer
	work *buffer // scratch memory, or nil
}

type bufKind uint8

const (
	bufInput  bufKind = iota
	bufResult         // what the host reads, where it is not float32 by itself
	bufTarget
	bufStats
	bufNorm
	bufHyper
	bufFolded // weight and bias with a batch norm in them
	bufOut
	bufGrad
	bufSaved
	bufWork
)

type bufKey struct {
	kind    bufKind
	node, i int
}

// Batch returns the number of samples.
func (e *Emit) Batch() int { return e.cfg.batch }

// Precision returns the precision of products.
func (e *Emit) Precision() device.Precision { return e.cfg.precision }

// Type returns the type of activations: of what In, Out, Grad, GradIn and Weight return. All else is float32.
func (e *Emit) Type() device.Type { return e.cfg.precision.Type() }

// Training reports whether the program trains: batch statistics, dropout, saved tensors.
func (e *Emit) Training() bool { return e.cfg.train }

// Seed returns the seed of the run.
func (e *Emit) Seed() uint64 { return e.cfg.seed }

// use returns the memory of a buffer of n float32 and notes that the next call touches it.
func (e *Emit) use(k bufKey, n int) device.Mem { return e.useOf(device.Float32, k, n) }

// useOf is use for n elements of a type.
func (e *Emit) useOf(t device.Type, k bufKey, n int) device.Mem {
	b := e.bufs[k]
	if b == nil {
		if e.second {
			panic(fmt.Sprintf("graph: second emission of %v asks for a buffer that the first did not", e.node.Name))
		}
		b = &buffer{id: len(e.order), kind: k.kind, typ: t, bytes: t.Size() * int64(n), first: -1, pinned: k.kind < bufOut}
		e.bufs[k] = b
		e.order = append(e.order, b)
	}
	e.touched = append(e.touched, b)
	return e.mem(b)
}

// mem is the place of a buffer, or a place holder that names it.
func (e *Emit) mem(b *buffer) device.Mem {
	if e.second {
		return e.arena.Slice(b.offset(), b.bytes)
	}
	return device.Mem{Arena: -1 - int32(b.id), Len: b.bytes}
}

// In returns input i of n, (N, H, W, C).
func (e *Emit) In(n *Node, i int) device.Mem { return e.Out(n.In[i]) }

// Out returns the output of n, (N, H, W, C).
func (e *Emit) Out(n *Node) device.Mem {
	r := e.root[n.index]
	if r == 0 && e.Type() == device.Float32 {
		return e.batch()
	}
	return e.useOf(e.Type(), bufKey{bufOut, r, 0}, e.cfg.batch*e.g.nodes[r].Out.Size())
}

// batch returns the images of the batch as the host has left them, (N, H, W, C) in float32.
func (e *Emit) batch() device.Mem {
	return e.use(bufKey{kind: bufInput}, e.cfg.batch*e.g.Input().Out.Size())
}

// Grad returns the gradient of the loss by the output of n.
func (e *Emit) Grad(n *Node) device.Mem {
	r := e.root[n.index]
	return e.useOf(e.Type(), bufKey{bufGrad, r, 0}, e.cfg.batch*e.g.nodes[r].Out.Size())
}

// GradIn returns the gradient by input i of n, and whether a value is there that must be added to. The first consumer of an output
// (in the order of the backward pass) writes its gradient, later ones accumulate. Call it at most once per input and pass, and only if
// NeedsGradIn.
func (e *Emit) GradIn(n *Node, i int) (m device.Mem, accumulate bool) { return e.gradOf(n.In[i]) }

func (e *Emit) gradOf(in *Node) (m device.Mem, accumulate bool) {
	k := bufKey{bufGrad, e.root[in.index], 0}
	accumulate = e.written[k]
	e.written[k] = true
	return e.Grad(in), accumulate
}

// NeedsGradIn reports whether anything above input i of n is trained.
func (e *Emit) NeedsGradIn(n *Node, i int) bool { return e.needs[n.In[i].index] }

// Param returns parameter i of n, in float32.
func (e *Emit) Param(n *Node, i int) device.Mem {
	return e.weights.mem(n.Params[i])
}

// Weight returns parameter i of n as products read it: of the type of activations.
func (e *Emit) Weight(n *Node, i int) device.Mem {
	if e.Type() == device.Float32 {
		return e.Param(n, i)
	}
	return e.weights.half(n.Params[i])
}

// Trains reports whether parameter i of n is trained.
func (e *Emit) Trains(n *Node, i int) bool { return e.cfg.train && n.Params[i].Trainable() }

// ParamGrad returns the gradient by parameter i of n, which the backward pass of n writes. Call it only if Trains.
func (e *Emit) ParamGrad(n *Node, i int) device.Mem {
	return e.weights.of(n.Params[i], e.train.grad)
}

// Saved returns tensor i of those that n's signature listed as saved. Its contents last from the forward to the backward pass.
func (e *Emit) Saved(n *Node, i int) device.Mem {
	s, t := n.saved[i], device.Float32
	if s.Activations {
		t = e.Type()
	}
	return e.useOf(t, bufKey{bufSaved, n.index, i}, e.cfg.batch*s.PerSample+s.Fixed)
}

// Scratch returns memory of a number of elements that only the next call uses.
func (e *Emit) Scratch(floats int) device.Mem {
	return e.use(bufKey{bufWork, len(e.calls), 1}, floats)
}

// Hyper returns the buffer of values that change from step to step.
func (e *Emit) Hyper() device.Mem { return e.use(bufKey{kind: bufHyper}, device.HyperWords) }

// Act returns the activation that n must apply to its own output because the layer after it was fused into it.
func (e *Emit) Act(n *Node) device.Act { return e.fused[n.index] }

// Residual returns what n must add to its own output before the activation, because a sum after it was fused into it, or no memory.
func (e *Emit) Residual(n *Node) device.Mem {
	if r := e.added[n.index]; r != nil {
		return e.Out(r)
	}
	return device.Mem{}
}

// Pool returns the max-pooling that n must apply to its own output because that layer was fused into it, or nil. Out and Grad are then of the pooled output.
func (e *Emit) Pool(n *Node) *Node { return e.pooled[n.index] }

// Upstream returns the gradient by the output of n, as Grad does, and what n's backward call must do to take it back through the sum and the
// activation that were fused into n. It is GradIn for the residual, so call it at most once, and before GradIn.
func (e *Emit) Upstream(n *Node) (dy device.Mem, g device.EpilogueGradient) {
	if g.Act = e.Act(n); g.Act != device.Identity {
		g.Y = e.Out(n)
	}
	if r := e.added[n.index]; r != nil && e.needs[r.index] {
		g.DResidual, g.AccumulateResidual = e.gradOf(r)
	}
	return e.Grad(n), g
}

// DoInPlace is Do for a call whose output dst may be the same memory as its input src. If src has no later use, it will be.
func (e *Emit) DoInPlace(c device.Call, dst, src device.Mem) {
	e.mayReplace(dst, src)
	e.Do(c)
}

// mayReplace says of the next call that its output dst may be the same memory as its input src.
func (e *Emit) mayReplace(dst, src device.Mem) {
	if !e.second && e.err == nil {
		if d, s := e.order[-1-dst.Arena], e.order[-1-src.Arena]; d.first < 0 {
			d.mayReplace, d.replaceAt = s, len(e.calls)
		}
	}
}

// Derive lays down a call that depends on the weights alone, and from then on what it writes does too. A program that trains runs it in each step; one
// that does not runs it before the first batch, and again when the weights have changed.
func (e *Emit) Derive(c device.Call) {
	if e.cfg.train {
		e.Do(c)
		return
	}
	if e.err == nil {
		e.settle(c, &e.derived)
	}
}

// Do lays down one call.
func (e *Emit) Do(c device.Call) {
	if e.err != nil {
		return
	}
	rec := callRecord{node: e.node, pass: e.pass, bufs: e.touched}
	e.touched = nil
	if wc, ok := c.(device.WorkspaceCall); ok {
		if w, ok := e.dev.(device.Workspacer); ok {
			if n := w.Workspace(wc); n > 0 {
				m := e.use(bufKey{bufWork, len(e.calls), 0}, int((n+3)/4))
				rec.work = e.touched[0]
				rec.bufs = append(rec.bufs, rec.work)
				e.touched = nil
				c = wc.WithWorkspace(m)
			}
		}
	}
	rec.call = c
	now := len(e.calls)
	e.calls = append(e.calls, rec)
	if !e.second {
		for _, b := range rec.bufs {
			if b.first < 0 {
				b.first = now
			}
			b.last = now
		}
	}
	e.settle(c, &e.steps)
}

// settle checks a call, or in the second emission binds it and appends its step to a list.
func (e *Emit) settle(c device.Call, steps *[]device.Step) {
	if !e.second {
		if err := c.Check(); err != nil {
			e.fail(err)
		}
		return
	}
	step, err := e.dev.Bind(c)
	if err != nil {
		e.fail(err)
		return
	}
	*steps = append(*steps, step)
}

func (e *Emit) fail(err error) {
	where := "the batch, the loss and the update"
	if e.node != nil {
		where = fmt.Sprintf("layer %s (%v)", e.node.Name, e.node.Op)
	}
	e.err = fmt.Errorf("%s, %v pass: %w", where, e.pass, err)
}
