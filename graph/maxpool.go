package graph

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// MaxPool takes the largest value of each window; padding never wins. The stride is the window's size unless it is given.
type MaxPool struct{ Window }

func (m MaxPool) String() string {
	return "max-pool " + m.describe(square(m.Size))
}

// The tensors that a max-pooling saves: the positions of the largest values and, in the call of a batch norm, what these were before they were normalised.
const (
	poolArg = iota
	poolLargest
)

// checkPoolPadding reports padding that would leave a window without any pixel of the image.
func checkPoolPadding(w Window, p Padding) error {
	for i, side := range [2][2]int{{p.Top, p.Bottom}, {p.Left, p.Right}} {
		if extent := w.Dilation[i]*(w.Size[i]-1) + 1; side[0] >= extent || side[1] >= extent {
			return fmt.Errorf("%w: padding %v, wanted less than the window's %d pixels", ErrShape, p, extent)
		}
	}
	return nil
}

// Infer implements Op.
func (m MaxPool) Infer(in []Shape) (Sig, error) {
	r := m.resolve(square(m.Size))
	w, p, err := r.place(in[0])
	if err != nil {
		return Sig{}, err
	}
	if err := checkPoolPadding(r, p); err != nil {
		return Sig{}, err
	}
	out := Shape{H: w.P, W: w.Q, C: w.C}
	return Sig{Out: out, Saved: []Saved{poolArg: {PerSample: out.Size()}, poolLargest: {PerSample: out.Size(), Activations: true}}}, nil
}

// Geometry returns the window and the padding of m on images of shape in, which Infer has accepted.
func (m MaxPool) Geometry(in Shape) (device.Window, Padding) {
	w, p, _ := m.resolve(square(m.Size)).place(in)
	return w, p
}

func (m MaxPool) geometry(e *Emit, n *Node) device.Window {
	w, _ := m.Geometry(n.In[0].Out)
	w.N = e.Batch()
	return w
}

// Forward implements Op. The positions of the largest values are kept only if something above the layer is trained.
func (m MaxPool) Forward(e *Emit, n *Node) {
	f := device.MaxPoolForward{Window: m.geometry(e, n), Type: e.Type(), X: e.In(n, 0), Y: e.Out(n)}
	if e.Training() && e.NeedsGradIn(n, 0) {
		f.Arg = e.Saved(n, poolArg)
	}
	e.Do(f)
}

// Backward implements Op.
func (m MaxPool) Backward(e *Emit, n *Node) {
	dx, acc := e.GradIn(n, 0)
	e.Do(device.MaxPoolBackward{Window: m.geometry(e, n), Type: e.Type(), DY: e.Grad(n), Arg: e.Saved(n, poolArg), DX: dx, Accumulate: acc})
}
