package device

// Window is the geometry that convolution and pooling share: a batch of N images of (H, W, C), and a window of R rows and
// S columns that moves over them with stride and dilation. P and Q are the output's rows and columns.
//
// Padding is given for the top and the left side alone. What lies beyond the bottom and the right edge follows from
// P and Q: a window reads row p*StrideH - PadTop + r*DilH, and rows outside [0, H) count as padding. Asymmetric padding and
// ceil mode therefore need nothing further (compare arXiv:1603.07285 on the arithmetic).
type Window struct {
	N, H, W, C       int
	P, Q             int
	R, S             int
	StrideH, StrideW int
	DilH, DilW       int
	PadTop, PadLeft  int
}

func (w Window) check(c *checker) {
	c.that(w.N > 0 && w.H > 0 && w.W > 0 && w.C > 0, "input %dx%dx%dx%d, wanted positive sizes", w.N, w.H, w.W, w.C)
	c.that(w.P > 0 && w.Q > 0, "output %dx%d, wanted positive sizes", w.P, w.Q)
	c.that(w.R > 0 && w.S > 0, "window %dx%d, wanted positive sizes", w.R, w.S)
	c.that(w.StrideH > 0 && w.StrideW > 0, "stride %dx%d, wanted positive", w.StrideH, w.StrideW)
	c.that(w.DilH > 0 && w.DilW > 0, "dilation %dx%d, wanted positive", w.DilH, w.DilW)
	c.that(w.PadTop >= 0 && w.PadLeft >= 0, "padding %d,%d, wanted no negative value", w.PadTop, w.PadLeft)
	c.that(max(w.StrideH, w.StrideW, w.DilH, w.DilW, w.PadTop, w.PadLeft, w.R, w.S) < 1<<20,
		"stride %dx%d, dilation %dx%d, padding %d,%d, window %dx%d, wanted less than 2^20 each",
		w.StrideH, w.StrideW, w.DilH, w.DilW, w.PadTop, w.PadLeft, w.R, w.S)
	c.size(w.N, w.H, w.W, w.C)
	c.size(w.N, w.P, w.Q, w.C)
}

// checkTouch fails if a window lies in the padding altogether: it has no largest element.
func (w Window) checkTouch(c *checker) {
	if c.err != nil {
		return
	}
	axis := func(name string, outputs, stride, before, taps, dil, n int) {
		for o := range outputs {
			touches := false
			for t := range taps {
				if i := o*stride - before + t*dil; i >= 0 && i < n {
					touches = true
				}
			}
			if !touches {
				c.that(false, "the window of output %s %d lies outside the image, wanted less padding or no ceil mode", name, o)
				return
			}
		}
	}
	axis("row", w.P, w.StrideH, w.PadTop, w.R, w.DilH, w.H)
	axis("column", w.Q, w.StrideW, w.PadLeft, w.S, w.DilW, w.W)
}

// In returns the number of input elements, Out(k) the number of output elements with k channels.
func (w Window) In() int       { return w.N * w.H * w.W * w.C }
func (w Window) Out(k int) int { return w.N * w.P * w.Q * k }
