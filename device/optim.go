package device

import (
	"encoding/binary"
	"math"
)

// HyperWords is the number of 32-bit words of a Hyper buffer.
const HyperWords = 8

// Hyper is what changes from step to step. Binding freezes the arguments of a call, so these live in a small device buffer that is
// uploaded before each step.
type Hyper struct {
	Step     uint32  // number of the step, from 0: the counter of dropout masks
	LR       float32 // learning rate
	Momentum float32 // SGD, RMSprop: momentum; AdamW: beta1
	Correct1 float32 // AdamW: 1 - beta1^t with t counted from 1
	Correct2 float32 // AdamW: 1 - beta2^t
	EMADecay float32 // weight of the old average
}

// Encode writes h as HyperWords little-endian words into dst.
func (h Hyper) Encode(dst []byte) {
	binary.LittleEndian.PutUint32(dst, h.Step)
	for i, v := range [HyperWords - 1]float32{h.LR, h.Momentum, h.Correct1, h.Correct2, h.EMADecay} {
		binary.LittleEndian.PutUint32(dst[4+4*i:], math.Float32bits(v))
	}
}

// DecodeHyper is the inverse of Encode.
func DecodeHyper(src []byte) Hyper {
	f := func(i int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:])) }
	return Hyper{Step: binary.LittleEndian.Uint32(src), LR: f(1), Momentum: f(2), Correct1: f(3), Correct2: f(4), EMADecay: f(5)}
}

// Segment is a run of elements of the parameter slab that are updated alike. Elements outside every segment stay as they are: frozen
// parameters, and the gaps that alignment leaves.
type Segment struct {
	Off, Len int     // elements
	LRScale  float32 // multiplies the learning rate
	Decay    float32 // weight decay
}

// Update is what all optimisers share: one call updates the whole slab.
//
// Before anything else the gradient is scaled by min(1, MaxNorm/(norm+1e-6)) if MaxNorm is positive, where norm is the value that
// Norm2 left in Norm. If norm is not finite the call changes nothing: the weights survive a diverged step, and the caller can say where
// it happened.
type Update struct {
	N        int // elements of the slab
	Segments []Segment
	W, G     Mem // (N)
	Norm     Mem // (1)
	Hyper    Mem // (HyperWords)
	MaxNorm  float32
}

func (u Update) check(c *checker) {
	c.that(u.N > 0, "%d elements, wanted a positive number", u.N)
	end := 0
	for i, s := range u.Segments {
		c.that(s.Off >= end && s.Len > 0 && s.Off+s.Len <= u.N, "segment %d is [%d, %d+%d) of %d, wanted ascending ones inside the slab", i, s.Off, s.Off, s.Len, u.N)
		end = s.Off + s.Len
	}
	c.mem("W", u.W, u.N)
	c.mem("G", u.G, u.N)
	c.mem("Norm", u.Norm, 1)
	c.mem("Hyper", u.Hyper, HyperWords)
}

// updated counts the elements that the segments cover.
func (u Update) updated() int64 {
	n := 0
	for _, s := range u.Segments {
		n += s.Len
	}
	return int64(n)
}

// SGD is stochastic gradient descent with momentum in PyTorch's form: g += decay·w; v = mu·v + g; then w -= lr·v, or with Nesterov
// w -= lr·(g + mu·v).
type SGD struct {
	Update
	Nesterov bool
	V        Mem // (N), absent without momentum
}

// Cost implements Call.
func (s SGD) Cost() Cost {
	n := s.updated()
	if s.V.IsZero() {
		return Cost{4 * n, 12 * n}
	}
	return Cost{6 * n, 20 * n}
}

// Check implements Call.
func (s SGD) Check() error {
	c := checker{call: "SGD"}
	s.Update.check(&c)
	c.optional("V", s.V, s.N, Float32)
	c.that(!s.Nesterov || !s.V.IsZero(), "Nesterov without momentum")
	return c.err
}

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter, arXiv:1711.05101) in PyTorch's form:
// w -= lr·decay·w; m = b1·m + (1-b1)·g; v = b2·v + (1-b2)·g²; w -= lr·(m/Correct1)/(sqrt(v/Correct2) + Eps).
type AdamW struct {
	Update
	Beta2, Eps float32 // beta1 is Hyper.Momentum
	M, V       Mem     // (N)
}

// Cost implements Call.
func (a AdamW) Cost() Cost { return Cost{14 * a.updated(), 28 * a.updated()} }

// Check implements Call.
func (a AdamW) Check() error {
	c := checker{call: "AdamW"}
	a.Update.check(&c)
	c.mem("M", a.M, a.N)
	c.mem("V", a.V, a.N)
	return c.err
}

// RMSprop divides by a running root mean square (Tieleman and Hinton 2012) in PyTorch's form: g += decay·w;
// s = Alpha·s + (1-Alpha)·g²; v = mu·v + g/(sqrt(s)+Eps); w -= lr·v.
type RMSprop struct {
	Update
	Alpha, Eps float32
	S          Mem // (N)
	V          Mem // (N), absent without momentum
}

// Cost implements Call.
func (r RMSprop) Cost() Cost {
	n := r.updated()
	if r.V.IsZero() {
		return Cost{10 * n, 20 * n}
	}
	return Cost{12 * n, 28 * n}
}

// Check implements Call.
func (r RMSprop) Check() error {
	c := checker{call: "RMSprop"}
	r.Update.check(&c)
	c.mem("S", r.S, r.N)
	c.optional("V", r.V, r.N, Float32)
	return c.err
}

// EMA moves an average of the weights: E = d·E + (1-d)·W with d = Hyper.EMADecay.
type EMA struct {
	N     int
	E, W  Mem // (N)
	Hyper Mem
}

// Cost implements Call.
func (e EMA) Cost() Cost { return Cost{3 * int64(e.N), 12 * int64(e.N)} }

// Check implements Call.
func (e EMA) Check() error {
	c := checker{call: "EMA"}
	c.that(e.N > 0, "%d elements, wanted a positive number", e.N)
	c.mem("E", e.E, e.N)
	c.mem("W", e.W, e.N)
	c.mem("Hyper", e.Hyper, HyperWords)
	return c.err
}

// Norm2 computes Y[0] = sqrt(sum X²) in a fixed order. It overflows only if the norm itself does.
type Norm2 struct {
	N         int
	X         Mem // (N)
	Y         Mem // (1)
	Workspace Mem
}

// Cost implements Call.
func (m Norm2) Cost() Cost { return Cost{2 * int64(m.N), 4 * int64(m.N)} }

// Check implements Call.
func (m Norm2) Check() error {
	c := checker{call: "norm"}
	c.that(m.N > 0, "%d elements, wanted a positive number", m.N)
	c.mem("X", m.X, m.N)
	c.mem("Y", m.Y, 1)
	return c.err
}

// WithWorkspace implements WorkspaceCall.
func (m Norm2) WithWorkspace(mem Mem) Call { m.Workspace = mem; return m }
