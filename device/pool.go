package device

// MaxPoolForward writes the largest element of each window, and in Arg its position r*S+s inside the window as a float32
// holding a small integer, which backward needs. Padding never wins. If several elements are equal, the first in row order does, as
// in PyTorch. NaN wins over everything, so that it is not hidden. Every window must touch the image.
type MaxPoolForward struct {
	Window
	Type Type // of X and Y
	X    Mem  // (N, H, W, C)
	Y    Mem  // (N, P, Q, C)
	Arg  Mem  // (N, P, Q, C), or absent where there is no backward pass
}

// Cost implements Call.
func (f MaxPoolForward) Cost() Cost {
	out := int64(f.Out(f.C))
	b := f.Type.Size() * (int64(f.In()) + out)
	if !f.Arg.IsZero() {
		b += 4 * out
	}
	return Cost{out * int64(f.R) * int64(f.S), b}
}

// Check implements Call.
func (f MaxPoolForward) Check() error {
	c := checker{call: "max-pool forward"}
	f.Window.check(&c)
	f.Window.checkTouch(&c)
	c.typ(f.Type)
	c.elements("X", f.X, f.In(), f.Type)
	c.elements("Y", f.Y, f.Out(f.C), f.Type)
	c.optional("Arg", f.Arg, f.Out(f.C), Float32)
	return c.err
}

func (f MaxPoolForward) storage() Type { return f.Type }

// MaxPoolBackward gathers: DX[n,h,w,c] (+)= sum of DY over the windows whose largest element was (h, w).
type MaxPoolBackward struct {
	Window
	Type       Type // of DY and DX
	DY, Arg    Mem  // (N, P, Q, C)
	DX         Mem  // (N, H, W, C)
	Accumulate bool
}

// Cost implements Call.
func (b MaxPoolBackward) Cost() Cost {
	out := int64(b.Out(b.C))
	return Cost{out, b.Type.Size()*(out+int64(b.In()+ifAcc(b.Accumulate, b.In()))) + 4*out}
}

// Check implements Call.
func (b MaxPoolBackward) Check() error {
	c := checker{call: "max-pool backward"}
	b.Window.check(&c)
	b.Window.checkTouch(&c)
	c.typ(b.Type)
	c.elements("DY", b.DY, b.Out(b.C), b.Type)
	c.mem("Arg", b.Arg, b.Out(b.C))
	c.elements("DX", b.DX, b.In(), b.Type)
	return c.err
}

func (b MaxPoolBackward) storage() Type { return b.Type }

// AvgPoolForward writes the mean of each window. The divisor is the number of positions of the window that lie inside the padded
// image (rows -PadTop to H+PadBottom), or, with ExcludePad, inside the image itself: PyTorch's count_include_pad.
// In ceil mode the last window may leave even the padding; those positions never count.
type AvgPoolForward struct {
	Window
	PadBottom, PadRight int // needed for the divisor only
	ExcludePad          bool
	Type                Type
	X                   Mem // (N, H, W, C)
	Y                   Mem // (N, P, Q, C)
}

// Cost implements Call.
func (f AvgPoolForward) Cost() Cost {
	out := int64(f.Out(f.C))
	return Cost{out * int64(f.R) * int64(f.S), f.Type.Size() * (int64(f.In()) + out)}
}

// Check implements Call.
func (f AvgPoolForward) Check() error {
	c := checker{call: "average-pool forward"}
	f.Window.check(&c)
	c.typ(f.Type)
	c.elements("X", f.X, f.In(), f.Type)
	c.elements("Y", f.Y, f.Out(f.C), f.Type)
	return c.err
}

func (f AvgPoolForward) storage() Type { return f.Type }

// AvgPoolBackward spreads each DY evenly over its window; as a gather, so that the order of the sum is fixed.
type AvgPoolBackward struct {
	Window
	PadBottom, PadRight int
	ExcludePad          bool
	Type                Type
	DY                  Mem // (N, P, Q, C)
	DX                  Mem // (N, H, W, C)
	Accumulate          bool
}

// Cost implements Call.
func (b AvgPoolBackward) Cost() Cost {
	out := int64(b.Out(b.C))
	return Cost{out * int64(b.R) * int64(b.S), b.Type.Size() * (out + int64(b.In()+ifAcc(b.Accumulate, b.In())))}
}

// Check implements Call.
func (b AvgPoolBackward) Check() error {
	c := checker{call: "average-pool backward"}
	b.Window.check(&c)
	c.typ(b.Type)
	c.elements("DY", b.DY, b.Out(b.C), b.Type)
	c.elements("DX", b.DX, b.In(), b.Type)
	return c.err
}

func (b AvgPoolBackward) storage() Type { return b.Type }

// Divisor returns the number of positions that the mean of output (p, q) counts.
func (f AvgPoolForward) Divisor(p, q int) int {
	return span(p, f.StrideH, f.PadTop, f.R, f.DilH, f.H, f.PadBottom, f.ExcludePad) *
		span(q, f.StrideW, f.PadLeft, f.S, f.DilW, f.W, f.PadRight, f.ExcludePad)
}

// Divisor is the forward pass's divisor.
func (b AvgPoolBackward) Divisor(p, q int) int {
	return AvgPoolForward{Window: b.Window, PadBottom: b.PadBottom, PadRight: b.PadRight, ExcludePad: b.ExcludePad}.Divisor(p, q)
}

// span counts the taps of window o along one axis that lie in [-before, n+after), or in [0, n) without the padding. A window that
// touches nothing counts one, so that its mean is zero and not NaN.
func span(o, stride, before, taps, dil, n, after int, excludePad bool) int {
	lo, hi := -before, n+after
	if excludePad {
		lo, hi = 0, n
	}
	k := 0
	for t := range taps {
		if i := o*stride - before + t*dil; i >= lo && i < hi {
			k++
		}
	}
	return max(k, 1)
}

// AdaptiveAvgPoolForward averages over windows that divide the input evenly: output row p covers input rows
// floor(p*H/P) to ceil((p+1)*H/P), as in PyTorch; windows may overlap, and the output may be larger than the input.
type AdaptiveAvgPoolForward struct {
	N, H, W, C int
	P, Q       int
	Type       Type
	X          Mem // (N, H, W, C)
	Y          Mem // (N, P, Q, C)
}

// Cost implements Call.
func (f AdaptiveAvgPoolForward) Cost() Cost {
	in, out := int64(f.N*f.H*f.W*f.C), int64(f.N*f.P*f.Q*f.C)
	return Cost{max(in, out), f.Type.Size() * (in + out)}
}

// Check implements Call.
func (f AdaptiveAvgPoolForward) Check() error {
	c := checker{call: "adaptive average-pool forward"}
	checkAdaptive(&c, f.N, f.H, f.W, f.C, f.P, f.Q)
	c.typ(f.Type)
	c.elements("X", f.X, f.N*f.H*f.W*f.C, f.Type)
	c.elements("Y", f.Y, f.N*f.P*f.Q*f.C, f.Type)
	return c.err
}

func (f AdaptiveAvgPoolForward) storage() Type { return f.Type }

// AdaptiveAvgPoolBackward is the gradient of AdaptiveAvgPoolForward.
type AdaptiveAvgPoolBackward struct {
	N, H, W, C int
	P, Q       int
	Type       Type
	DY         Mem // (N, P, Q, C)
	DX         Mem // (N, H, W, C)
	Accumulate bool
}

// Cost implements Call.
func (b AdaptiveAvgPoolBackward) Cost() Cost {
	in, out := int64(b.N*b.H*b.W*b.C), int64(b.N*b.P*b.Q*b.C)
	return Cost{max(in, out), b.Type.Size() * (in + out + int64(ifAcc(b.Accumulate, int(in))))}
}

// Check implements Call.
func (b AdaptiveAvgPoolBackward) Check() error {
	c := checker{call: "adaptive average-pool backward"}
	checkAdaptive(&c, b.N, b.H, b.W, b.C, b.P, b.Q)
	c.typ(b.Type)
	c.elements("DY", b.DY, b.N*b.P*b.Q*b.C, b.Type)
	c.elements("DX", b.DX, b.N*b.H*b.W*b.C, b.Type)
	return c.err
}

func (b AdaptiveAvgPoolBackward) storage() Type { return b.Type }

func checkAdaptive(c *checker, n, h, w, ch, p, q int) {
	c.that(n > 0 && h > 0 && w > 0 && ch > 0, "input %dx%dx%dx%d, wanted positive sizes", n, h, w, ch)
	c.that(p > 0 && q > 0, "output %dx%d, wanted positive sizes", p, q)
	c.size(n, h, w, ch)
	c.size(n, p, q, ch)
}

// AdaptiveSpan returns the half-open range of inputs that output o of outputs covers.
func AdaptiveSpan(o, in, outputs int) (lo, hi int) {
	return o * in / outputs, ((o+1)*in + outputs - 1) / outputs
}
