package graph

import "github.com/cnnctl/cnnctl/device"

// A fuser is an op that can apply an activation to its own output as it writes it.
type fuser interface{ fuses() }

// resolve finds, for each node, whose memory holds its output and which activations become part of the call before them.
func (e *Emit) resolve() {
	n := len(e.g.nodes)
	e.root, e.fused, e.needs = make([]int, n), make([]device.Act, n), make([]bool, n)
	e.part = e.g.above(e.cfg.until)
	for i, node := range e.g.nodes {
		e.root[i] = i
		if node.Op == nil || !e.part[i] {
			continue
		}
		for _, in := range node.In {
			e.needs[i] = e.needs[i] || e.needs[in.index]
		}
		for _, p := range node.Params {
			e.needs[i] = e.needs[i] || e.cfg.train && p.Trainable()
		}
		in := node.In[0]
		if v, ok := node.Op.(viewer); ok && v.view(e.cfg.train) {
			e.root[i] = e.root[in.index]
		} else if a, ok := node.Op.(Activation); ok && in.uses == 1 {
			// The activation's output replaces its input in memory: no one else reads the input, and the derivative needs the output only.
			if _, ok := in.Op.(fuser); ok && e.fused[in.index] == device.Identity {
				e.fused[in.index] = a.Kind
				e.root[i] = e.root[in.index]
			}
		}
	}
}
