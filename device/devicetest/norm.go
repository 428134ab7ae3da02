package devicetest

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/philox"
)

var matrixShapes = [][2]int{{2, 1}, {2, 3}, {7, 4}, {8, 65}, {33, 5}, {64, 64}, {257, 8}, {1000, 3}, {5000, 16}, {9, 300}}

// offset are normal values around a mean of 1000, where a variance computed as the difference of two float32 sums has no digit left;
// every fifth value of a channel-sized period is constant.
func offset(c int) Fill {
	return func(s *philox.Stream, v []float32) {
		for i := range v {
			v[i] = 1000
			if i%c%5 != 4 {
				v[i] += float32(s.Normal())
			}
		}
	}
}

func batchNormCases() []Case {
	var forward, inference, backward, frozen []Case
	for i, s := range matrixShapes {
		rows, c := s[0], s[1]
		n, name := rows*c, fmt.Sprintf("%dx%d", rows, c)
		for _, in := range []struct {
			name string
			fill Fill
		}{{"normal", Normal(2)}, {"mean 1000", offset(c)}} {
			forward = append(forward, Case{
				Name: "BatchNormForward/" + name + "," + in.name,
				Call: func(o *Operands) device.Call {
					a := o.act()
					return device.BatchNormForward{Rows: rows, C: c, Eps: 1e-5, Momentum: 0.1, Type: a.typ,
						X: a.in("X", n, in.fill), Y: a.out("Y", n), Gamma: o.in("Gamma", c, Uniform(0.5, 1.5)), Beta: o.in("Beta", c, Normal(1)),
						RunMean: o.inout("RunMean", c, Normal(1)), RunVar: o.inout("RunVar", c, Uniform(0.5, 2)),
						Mean: o.out("Mean", c), InvStd: o.out("InvStd", c)}
				},
				Terms: rows,
			})
		}
		act := []device.Act{device.ReLU, device.ReLU6, device.Tanh, device.Sigmoid}[i%4]
		for variant := range 3 { // an activation, a residual, the residual's memory for the result
			forward = append(forward, Case{
				Name: fmt.Sprintf("BatchNormForward/%s,%v,%s", name, act, [...]string{"no residual", "residual", "into residual"}[variant]),
				Call: func(o *Operands) device.Call {
					a := o.act()
					f := device.BatchNormForward{Rows: rows, C: c, Eps: 1e-5, Momentum: 0.1, Type: a.typ, Act: act, X: a.in("X", n, Normal(2)),
						Gamma: o.in("Gamma", c, Normal(3)), Beta: o.in("Beta", c, Normal(1)), RunMean: o.inout("RunMean", c, Normal(1)),
						RunVar: o.inout("RunVar", c, Uniform(0.5, 2)), Mean: o.out("Mean", c), InvStd: o.out("InvStd", c)}
					f.Residual, f.Y = residual(a, n, variant)
					return f
				},
				Terms: rows,
			})
		}
		for variant := range 4 { // the same, and in place
			inference = append(inference, Case{
				Name: "BatchNormInference/" + name + [...]string{"", ",residual", ",into residual", ",in place"}[variant],
				Call: func(o *Operands) device.Call {
					a := o.act()
					f := device.BatchNormInference{Rows: rows, C: c, Eps: 1e-5, Type: a.typ, Gamma: o.in("Gamma", c, Normal(3)), Beta: o.in("Beta", c, Normal(1)),
						RunMean: o.in("RunMean", c, Normal(1)), RunVar: o.in("RunVar", c, Uniform(0.1, 2))}
					if variant > 0 {
						f.Act = act
					}
					if variant == 3 {
						f.X = a.inout("X", n, Normal(1))
						f.Residual, f.Y = a.in("Residual", n, Normal(1)), f.X
						return f
					}
					f.X = a.in("X", n, Normal(1))
					f.Residual, f.Y = residual(a, n, variant)
					return f
				},
			})
		}
		for _, v := range normGradients {
			suffix, act := name+","+v.name, v.activation(i)
			if v.act {
				suffix += "," + act.String()
			}
			params := v.accumulate || v.withoutDX
			backward = append(backward, Case{
				Name: "BatchNormBackward/" + suffix,
				Call: func(o *Operands) device.Call {
					g := device.BatchNormBackward{Rows: rows, C: c, Type: o.typ(), Accumulate: v.accumulate, AccumulateParams: params,
						X: v.input(o.act(), n), Gamma: o.in("Gamma", c, Normal(1)), Mean: o.in("Mean", c, Normal(0.1)),
						InvStd: o.in("InvStd", c, Uniform(0.5, 2)), DGamma: o.result("DGamma", c, params), DBeta: o.result("DBeta", c, params)}
					g.DY, g.DX, g.EpilogueGradient = v.operands(o.act(), n, act)
					if v.intoX {
						g.DX = g.X
					}
					return g
				},
				Terms: rows,
			})
			if v.intoX {
				continue
			}
			frozen = append(frozen, Case{
				Name: "BatchNormFrozenBackward/" + suffix,
				Call: func(o *Operands) device.Call {
					g := device.BatchNormFrozenBackward{Rows: rows, C: c, Eps: 1e-5, Type: o.typ(), Accumulate: v.accumulate, AccumulateParams: params,
						Gamma: o.in("Gamma", c, Normal(1)), RunMean: o.in("RunMean", c, Normal(1)), RunVar: o.in("RunVar", c, Uniform(0.1, 2))}
					g.DY, g.DX, g.EpilogueGradient = v.operands(o.act(), n, act)
					if !v.withoutParams { // then X is not needed either
						g.X = o.act().in("X", n, Normal(1))
						g.DGamma, g.DBeta = o.result("DGamma", c, params), o.result("DBeta", c, params)
					}
					return g
				},
				Terms: rows,
			})
		}
	}
	return append(append(forward, inference...), append(backward, frozen...)...)
}

// foldBatchNormCases have filters of depthwise, pointwise and dense convolutions, and of lengths around vectors.
func foldBatchNormCases() []Case {
	var list []Case
	for i, s := range [][2]int{{1, 1}, {3, 27}, {64, 9}, {16, 64}, {33, 5}, {8, 200}, {257, 8}, {2, 4608}, {5, 12}, {300, 1}, {70, 576}, {65, 16}} {
		c, n := s[0], s[1]
		name := fmt.Sprintf("FoldBatchNorm/%dx%d", c, n)
		if i%2 == 1 {
			name += ",bias"
		}
		list = append(list, Case{
			Name: name,
			Call: func(o *Operands) device.Call {
				f := device.FoldBatchNorm{C: c, Len: n, Eps: 1e-5, Type: o.typ(), Weight: o.in("Weight", c*n, Normal(1)),
					Gamma: o.in("Gamma", c, Normal(1)), Beta: o.in("Beta", c, Normal(1)), RunMean: o.in("RunMean", c, Normal(1)), RunVar: o.in("RunVar", c, Uniform(0.1, 2)),
					FoldedWeight: o.act().out("FoldedWeight", c*n), FoldedBias: o.out("FoldedBias", c)}
				if i%2 == 1 {
					f.Bias = o.in("Bias", c, Normal(1))
				}
				return f
			},
		})
	}
	return list
}

// residual places the residual and the output of a batch norm: no residual, one, or one that is overwritten.
func residual(a placer, n, variant int) (residual, y device.Mem) {
	switch variant {
	case 1:
		residual = a.in("Residual", n, Normal(1))
	case 2:
		y = a.inout("Residual", n, Normal(1))
		return y, y
	}
	return residual, a.out("Y", n)
}

// normGradients are the gradients of a batch norm: what is accumulated, what is absent, and what shares memory.
var normGradients = []normGradient{
	{name: "plain"},
	{name: "acc", accumulate: true},
	{name: "in place", inPlace: true, withoutParams: true},
	{name: "without DX", withoutDX: true},
	{name: "act", act: true},
	{name: "acc", act: true, accumulate: true},
	{name: "in place", act: true, inPlace: true, withoutParams: true},
	{name: "residual", act: true, residual: true},
	{name: "residual without DX", act: true, residual: true, withoutDX: true},
	{name: "residual acc", act: true, residual: true, accumulateResidual: true},
	{name: "residual acc, in place", act: true, residual: true, accumulateResidual: true, inPlace: true},
	{name: "residual in place", act: true, residual: true, residualInPlace: true},
	{name: "residual in place without parameters", act: true, residual: true, residualInPlace: true, withoutParams: true},
	{name: "residual and DX in one", act: true, residual: true, accumulate: true, shared: true},
	{name: "residual and DX in one, in place, without parameters", act: true, residual: true, residualInPlace: true, accumulate: true, shared: true, withoutParams: true},
	{name: "residual alone in place", residual: true, residualInPlace: true},
	{name: "residual in place, into X", act: true, residual: true, residualInPlace: true, intoX: true},
	{name: "into X", intoX: true},
	{name: "residual alone acc", residual: true, accumulateResidual: true, accumulate: true},
}

type normGradient struct {
	name                           string
	act, residual                  bool
	accumulate, accumulateResidual bool
	inPlace, residualInPlace       bool // DX or DResidual is DY
	shared                         bool // DX is DResidual
	intoX                          bool // DX is X, which frozen statistics do not permit
	withoutDX, withoutParams       bool
}

// activation returns the activation of case i. Where the rest of the call reads what was stored for the residual, that must be exact: under bf16 what tanh or
// sigmoid leave of a gradient is rounded there, and the differences that follow enlarge the error.
func (v normGradient) activation(i int) device.Act {
	switch {
	case !v.act:
		return device.Identity
	case v.residual && !v.accumulateResidual:
		return []device.Act{device.ReLU, device.ReLU6}[i%2]
	}
	return []device.Act{device.ReLU, device.ReLU6, device.Tanh, device.Sigmoid}[i%4]
}

// input places X.
func (v normGradient) input(a placer, n int) device.Mem {
	if v.intoX {
		return a.inout("X", n, Normal(1))
	}
	return a.in("X", n, Normal(1))
}

func (v normGradient) operands(a placer, n int, act device.Act) (dy, dx device.Mem, e device.EpilogueGradient) {
	if v.act {
		e.Act, e.Y = act, a.in("Y", n, activations(act))
	}
	if v.inPlace || v.residualInPlace {
		dy = a.inout("DY", n, Normal(1))
	} else {
		dy = a.in("DY", n, Normal(1))
	}
	e.AccumulateResidual = v.accumulateResidual
	if v.residualInPlace {
		e.DResidual = dy
	} else if v.residual {
		e.DResidual = a.result("DResidual", n, v.accumulateResidual)
	}
	switch {
	case v.inPlace:
		dx = dy
	case v.shared:
		dx = e.DResidual
	case !v.withoutDX && !v.intoX:
		dx = a.result("DX", n, v.accumulate)
	}
	return dy, dx, e
}

func lrnCases() []Case {
	var forward, backward []Case
	for i, s := range [][3]int{{1, 1, 1}, {3, 7, 5}, {9, 64, 5}, {4, 3, 9}, {17, 33, 4}, {2, 65, 2}, {300, 96, 5}} {
		rows, c, size := s[0], s[1], s[2]
		n, beta := rows*c, []float32{0.75, 0.5}[i%2]
		name := fmt.Sprintf("%dx%d,size=%d,beta=%v", rows, c, size, beta)
		forward = append(forward, Case{
			Name: "LRNForward/" + name,
			Call: func(o *Operands) device.Call {
				a := o.act()
				f := device.LRNForward{Rows: rows, C: c, Size: size, K: 2, Alpha: 0.1, Beta: beta, Type: a.typ, X: a.in("X", n, Normal(3)), Y: a.out("Y", n)}
				if i != 3 {
					f.Scale = o.out("Scale", n)
				}
				return f
			},
			Terms: size,
		})
		for _, acc := range []bool{false, true} {
			backward = append(backward, Case{
				Name: fmt.Sprintf("LRNBackward/%s,acc=%v", name, acc),
				Call: func(o *Operands) device.Call {
					a := o.act()
					return device.LRNBackward{Rows: rows, C: c, Size: size, Alpha: 0.1, Beta: beta, Type: a.typ, Accumulate: acc,
						X: a.in("X", n, Normal(1)), Y: a.in("Y", n, Normal(1)), Scale: o.in("Scale", n, Uniform(1, 3)), DY: a.in("DY", n, Normal(1)),
						DX: a.result("DX", n, acc)}
				},
				Terms: size,
			})
		}
	}
	return append(forward, backward...)
}
