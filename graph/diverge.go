package graph

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// FindNonFinite repeats the step that was loaded last, call by call and up to the update, and says in words where the first value that is not
// finite came up, or "" if none did. It is slow and meant for a run that has diverged: from that step on the weights are what they were.
func (tr *Training) FindNonFinite() (string, error) {
	if bad, err := tr.nonFinite(tr.x, device.Float32); err != nil || bad {
		return "the input batch", err
	}
	tr.changed() // running statistics
	for i, c := range tr.calls {
		if c.pass == update {
			break
		}
		if err := tr.steps[i](); err != nil {
			return "", err
		}
		if next := tr.calls[i+1]; next.node == c.node && next.pass == c.pass {
			continue // a layer's output is whole after its last call only: concat, for one, writes it in parts
		}
		if bad, err := tr.layerNonFinite(i); err != nil || bad != "" {
			return bad, err
		}
	}
	return "", nil
}

// layerNonFinite looks at what the layer of call i has touched, call i being its last one in this pass, and says where a value is not finite.
func (tr *Training) layerNonFinite(i int) (string, error) {
	last := tr.calls[i]
	for k := i; k >= 0 && tr.calls[k].node == last.node && tr.calls[k].pass == last.pass; k-- {
		for _, b := range tr.calls[k].bufs {
			// Scratch memory may hold anything, and so may a buffer that a later call of the layer has taken over.
			if b.kind == bufWork || b.kind == bufHyper || b.kind == bufTarget || b.last < i {
				continue
			}
			bad, err := tr.nonFinite(tr.arena.Slice(b.offset(), b.bytes), b.typ)
			if err != nil {
				return "", err
			}
			if _, ok := last.call.(device.SoftmaxCrossEntropy); bad && ok {
				return "the loss", nil
			}
			if bad && last.node == nil {
				return fmt.Sprintf("the input batch in %v", tr.precision.Type()), nil
			}
			if bad {
				return fmt.Sprintf("layer %s (%v), %v pass", last.node.Name, last.node.Op, last.pass), nil
			}
		}
	}
	if last.node == nil || last.pass != backward {
		return "", nil
	}
	for _, p := range last.node.Params {
		if !tr.trains(p) {
			continue
		}
		bad, err := tr.nonFinite(tr.weights.of(p, tr.grad), device.Float32)
		if err != nil {
			return "", err
		}
		if bad {
			return fmt.Sprintf("the gradient of %s", p.Name), nil
		}
	}
	return "", nil
}

func (tr *Training) nonFinite(m device.Mem, t device.Type) (bool, error) {
	v := make([]float32, m.Len/t.Size())
	memory := device.Bytes(v)[:m.Len]
	if err := tr.dev.Download(memory, m); err != nil {
		return false, err
	}
	if t == device.BFloat16 { // from the end: an element is as wide as two of its halves
		for i := len(v) - 1; i >= 0; i-- {
			v[i] = device.FromBFloat16(binary.NativeEndian.Uint16(memory[2*i:]))
		}
	}
	for _, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return true, nil
		}
	}
	return false, nil
}
