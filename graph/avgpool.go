package graph

import "github.com/cnnctl/cnnctl/device"

// AvgPool takes the mean of each window. The stride is the window's size unless it is given. Padding counts as zeros, unless ExcludePad
// is set (PyTorch's count_include_pad=False).
type AvgPool struct {
	Window
	ExcludePad bool
}

func (a AvgPool) String() string {
	return "avg-pool " + a.describe(square(a.Size))
}

// Infer implements Op.
func (a AvgPool) Infer(in []Shape) (Sig, error) {
	r := a.resolve(square(a.Size))
	w, p, err := r.place(in[0])
	if err != nil {
		return Sig{}, err
	}
	if err := checkPoolPadding(r, p); err != nil {
		return Sig{}, err
	}
	return Sig{Out: Shape{H: w.P, W: w.Q, C: w.C}}, nil
}

// Geometry returns the window and the padding of a on images of shape in, which Infer has accepted.
func (a AvgPool) Geometry(in Shape) (device.Window, Padding) {
	w, p, _ := a.resolve(square(a.Size)).place(in)
	return w, p
}

func (a AvgPool) geometry(e *Emit, n *Node) (device.Window, Padding) {
	w, p := a.Geometry(n.In[0].Out)
	w.N = e.Batch()
	return w, p
}

// Forward implements Op.
func (a AvgPool) Forward(e *Emit, n *Node) {
	w, p := a.geometry(e, n)
	e.Do(device.AvgPoolForward{Window: w, PadBottom: p.Bottom, PadRight: p.Right, ExcludePad: a.ExcludePad, Type: e.Type(), X: e.In(n, 0), Y: e.Out(n)})
}

// Backward implements Op.
func (a AvgPool) Backward(e *Emit, n *Node) {
	w, p := a.geometry(e, n)
	dx, acc := e.GradIn(n, 0)
	e.Do(device.AvgPoolBackward{Window: w, PadBottom: p.Bottom, PadRight: p.Right, ExcludePad: a.ExcludePad, Type: e.Type(), DY: e.Grad(n), DX: dx, Accumulate: acc})
}
