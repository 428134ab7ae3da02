package cpu

import (
	"reflect"

	"github.com/cnnctl/cnnctl/device"
)

// The first layer of a network of digits has the largest activations and the fewest channels: a convolution of images of one channel, its
// activation, and the means of 2x2 windows. In a group these calls and those of their backward pass have a kernel each; see stem.h of package
// kernel. What lies between them stays there, in the kernel's own layout, which is possible if no other call sees it.

// A stem is where such calls are in a group: a convolution and its pooling at forward, and at backward, or never if that is 0, the backward
// passes of pooling, activation, bias and filter.
type stem struct{ forward, backward int }

const (
	stemForwardCalls  = 2
	stemBackwardCalls = 4
)

// findStem finds a stem. inner reports whether an operand is seen by calls of the group alone.
func findStem(calls []device.Call, inner func(device.Mem) bool) (stem, bool) {
	for i := range len(calls) - 1 {
		f, convolves := calls[i].(device.ConvForward)
		p, pools := calls[i+1].(device.AvgPoolForward)
		if !convolves || !pools || p.X != f.Y || !halves(p, f.Conv) || !f.Residual.IsZero() || !inner(f.Y) {
			continue
		}
		if l := lower(f.Conv); !l.thin() {
			continue
		}
		if seen(calls, f.Y) == stemForwardCalls {
			return stem{forward: i}, true
		}
		for j := i + stemForwardCalls; j+stemBackwardCalls <= len(calls); j++ {
			if undoes(calls[j:], f) && seen(calls, f.Y) == stemForwardCalls+1 {
				if d := calls[j+1].(device.ActBackward).DX; inner(d) && seen(calls, d) == stemBackwardCalls {
					return stem{i, j}, true
				}
			}
		}
	}
	return stem{}, false
}

// halves reports whether the means are those of the 2x2 windows of a convolution's result, 2 apart, which divide it evenly.
func halves(p device.AvgPoolForward, v device.Conv) bool {
	return p.H == v.P && p.W == v.Q && p.C == v.K && p.R == 2 && p.S == 2 && p.StrideH == 2 && p.StrideW == 2 && p.DilH == 1 && p.DilW == 1 &&
		p.PadTop == 0 && p.PadLeft == 0 && p.PadBottom == 0 && p.PadRight == 0 && 2*p.P == p.H && 2*p.Q == p.W
}

// undoes reports whether calls begin with the backward pass of f and its pooling.
func undoes(calls []device.Call, f device.ConvForward) bool {
	p, pools := calls[0].(device.AvgPoolBackward)
	a, acts := calls[1].(device.ActBackward)
	b, biases := calls[2].(device.BiasGrad)
	w, filters := calls[3].(device.ConvBackwardFilter)
	if !pools || !acts || !biases || !filters || p.Accumulate || a.Accumulate || b.Accumulate || w.Accumulate {
		return false
	}
	forward := device.AvgPoolForward{Window: p.Window, PadBottom: p.PadBottom, PadRight: p.PadRight}
	return halves(forward, f.Conv) && a.Act == f.Act && a.Y == f.Y && a.DY == p.DX && a.DX == p.DX && b.DY == p.DX && w.DY == p.DX && w.X == f.X &&
		w.Conv == f.Conv
}

// seen counts the calls of which an operand shares memory with m.
func seen(calls []device.Call, m device.Mem) int {
	n := 0
	for _, c := range calls {
		if touches(reflect.ValueOf(c), m) {
			n++
		}
	}
	return n
}

// touches reports whether one of the fields of type device.Mem of v, a call or a part of one, shares memory with m.
func touches(v reflect.Value, m device.Mem) bool {
	if o, ok := v.Interface().(device.Mem); ok {
		return meet(m, o)
	}
	if v.Kind() == reflect.Struct {
		for i := range v.NumField() {
			if touches(v.Field(i), m) {
				return true
			}
		}
	}
	return false
}

// stemForward binds the calls with which the forward pass begins.
func (b *binder) stemForward(calls []device.Call) sampled {
	f, p := calls[0].(device.ConvForward), calls[1].(device.AvgPoolForward)
	b.workspace(f.Workspace)
	m, w, bias := windowImage(f.Window, b.mem(f.X, f.In())), b.mem(f.Weight, f.FilterLen()), b.mem(f.Bias, f.K)
	planes, y := b.mem(f.Y, f.Out(f.K)), b.mem(p.Y, p.Out(p.C))
	buf := b.perWorker(m.StemScratch(f.K))
	return sampled{run: func(_, lo, hi int, _ bool, worker int) {
		m.StemForward(w, f.K, bias, int(f.Act), planes, y, lo, hi, buf[worker])
	}}
}

// stemBackward binds the calls with which the backward pass begins.
func (b *binder) stemBackward(calls []device.Call) sampled {
	p, a, g, w := calls[0].(device.AvgPoolBackward), calls[1].(device.ActBackward), calls[2].(device.BiasGrad), calls[3].(device.ConvBackwardFilter)
	bias := *b // each call has a workspace of its own
	columns, total := bias.biasSums(g)
	b.workspace(w.Workspace)
	m, dw := windowImage(w.Window, b.mem(w.X, w.In())), b.mem(w.DWeight, w.FilterLen())
	dy, planes := b.mem(p.DY, p.Out(p.C)), b.mem(a.Y, a.N)
	filter := b.taskSums(w.FilterLen())
	buf := b.perWorker(m.StemScratch(w.K))
	if b.err == nil {
		b.err = bias.err
	}
	return sampled{
		run: func(task, lo, hi int, first bool, worker int) {
			m.StemBackward(dy, planes, int(a.Act), w.K, filter.of(task), columns(task), lo, hi, !first, buf[worker])
		},
		after: []phase{beside(filter.total(dw, b.parts)[0], total)},
	}
}
