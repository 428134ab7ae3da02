package graph

import "github.com/cnnctl/cnnctl/device"

// A fuser is an op that can apply an activation to its own output as it writes it.
type fuser interface{ fuses() }

// A joiner is a fuser that can add the output of another layer before the activation, and whose backward call takes the gradient through both.
type joiner interface {
	fuser
	joins()
}

// resolve finds, for each node, whose memory holds its output and which layers become part of the call before them.
func (e *Emit) resolve() {
	n := len(e.g.nodes)
	e.root, e.host, e.fused, e.needs = make([]int, n), make([]int, n), make([]device.Act, n), make([]bool, n)
	e.folded, e.added, e.pooled = make([]*Node, n), make([]*Node, n), make([]*Node, n)
	e.part = e.g.above(e.cfg.until)
	for i, node := range e.g.nodes {
		e.root[i], e.host[i] = i, i
		if node.Op == nil || !e.part[i] {
			continue
		}
		for _, in := range node.In {
			e.needs[i] = e.needs[i] || e.needs[in.index]
		}
		for _, p := range node.Params {
			e.needs[i] = e.needs[i] || e.cfg.train && p.Trainable()
		}
		if e.views(node) {
			e.root[i] = e.root[node.In[0].index]
		} else if host := e.fuse(node); host != nil {
			e.root[i], e.host[i] = e.root[host.index], host.index
		}
	}
}

// passes reports whether the gradient of n's output needs no call of n to become that of its inputs: it is theirs already, or a joiner takes it through.
func (e *Emit) passes(n *Node) bool {
	host := e.host[n.index]
	_, joins := e.g.nodes[host].Op.(joiner)
	return e.views(n) || joins && host != n.index
}

// views reports whether n's output is its input.
func (e *Emit) views(n *Node) bool {
	v, ok := n.Op.(viewer)
	return ok && v.view(e.cfg.train)
}

// computes reports whether n has a call of its own: its output is not its input, and no call before has made it.
func (e *Emit) computes(n *Node) bool { return e.host[n.index] == n.index && !e.views(n) }

// fuse makes node a part of the call of a layer before it, if it can be one, and returns that layer, or nil.
func (e *Emit) fuse(node *Node) *Node {
	in := node.In[0]
	host := e.g.nodes[e.host[in.index]]
	switch op := node.Op.(type) {
	case Activation:
		// The activation's output replaces its input in memory: no one else reads the input, and the derivative needs the output only.
		if _, ok := host.Op.(fuser); ok && in.uses == 1 && e.fused[host.index] == device.Identity && e.pooled[host.index] == nil {
			e.fused[host.index] = op.Kind
			return host
		}
	case BatchNorm:
		if e.evaluates() && node.Folds() {
			e.folded[in.index] = node
			return in
		}
	case Add:
		return e.fuseSum(node)
	case MaxPool:
		// No one else reads what is pooled, so it need not be in memory: neither pass reads more of it than what was largest.
		if n, ok := host.Op.(BatchNorm); ok && e.cfg.train && !n.Frozen(host) && !host.Out.Flat && in.uses == 1 && e.added[host.index] == nil && e.pooled[host.index] == nil {
			e.pooled[host.index] = node
			e.root[host.index], e.root[in.index] = node.index, node.index
			return host
		}
	}
	return nil
}

// evaluates reports whether the network answers as a whole. A program that computes the outputs of one layer does so as a training would, to the last
// bit, for what is behind that layer may be trained on them.
func (e *Emit) evaluates() bool { return !e.cfg.train && e.cfg.until == nil }

// fuseSum lets one of the layers that are summed add the other one, if that is there in time, and returns it, or nil.
func (e *Emit) fuseSum(sum *Node) *Node {
	for i, in := range sum.In {
		host, other := e.g.nodes[e.host[in.index]], sum.In[1-i]
		if in.uses > 1 || e.fused[host.index] != device.Identity || e.added[host.index] != nil || e.host[other.index] >= host.index {
			continue
		}
		if e.evaluates() && multiplies(host.Op) || e.joins(host, sum, other) {
			e.added[host.index] = other
			return host
		}
	}
	return nil
}

// joins reports whether host can add another layer's output in training too. It is the layer right before the sum, so that gradients are added in the
// same order. The other layer's gradient is left to it, and it has a backward call only if anything at or above it is trained.
func (e *Emit) joins(host, sum, other *Node) bool {
	_, ok := host.Op.(joiner)
	return ok && host.index == sum.index-1 && (e.needs[host.index] || !e.needs[other.index])
}
