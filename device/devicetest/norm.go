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
		inference = append(inference, Case{
			Name: "BatchNormInference/" + name,
			Call: func(o *Operands) device.Call {
				a := o.act()
				f := device.BatchNormInference{Rows: rows, C: c, Eps: 1e-5, Type: a.typ, Gamma: o.in("Gamma", c, Normal(1)), Beta: o.in("Beta", c, Normal(1)),
					RunMean: o.in("RunMean", c, Normal(1)), RunVar: o.in("RunVar", c, Uniform(0.1, 2))}
				if i%2 == 0 {
					f.X, f.Y = a.in("X", n, Normal(1)), a.out("Y", n)
				} else {
					f.X = a.inout("X", n, Normal(1))
					f.Y = f.X
				}
				return f
			},
		})
		for variant := range 4 { // accumulate nothing, DX, the parameters; DX in place; DX absent
			suffix := name + "," + [...]string{"plain", "acc", "in place", "without DX"}[variant]
			dx := func(o *Operands) (dy, dx device.Mem) {
				a := o.act()
				if variant == 2 {
					d := a.inout("DY", n, Normal(1))
					return d, d
				}
				dy = a.in("DY", n, Normal(1))
				if variant != 3 {
					dx = a.result("DX", n, variant == 1)
				}
				return dy, dx
			}
			params := variant == 1 || variant == 3
			backward = append(backward, Case{
				Name: "BatchNormBackward/" + suffix,
				Call: func(o *Operands) device.Call {
					g := device.BatchNormBackward{Rows: rows, C: c, Type: o.typ(), Accumulate: variant == 1, AccumulateParams: params,
						X: o.act().in("X", n, Normal(1)), Gamma: o.in("Gamma", c, Normal(1)), Mean: o.in("Mean", c, Normal(0.1)),
						InvStd: o.in("InvStd", c, Uniform(0.5, 2)), DGamma: o.result("DGamma", c, params), DBeta: o.result("DBeta", c, params)}
					g.DY, g.DX = dx(o)
					return g
				},
				Terms: rows,
			})
			frozen = append(frozen, Case{
				Name: "BatchNormFrozenBackward/" + suffix,
				Call: func(o *Operands) device.Call {
					g := device.BatchNormFrozenBackward{Rows: rows, C: c, Eps: 1e-5, Type: o.typ(), Accumulate: variant == 1, AccumulateParams: params,
						Gamma: o.in("Gamma", c, Normal(1)), RunMean: o.in("RunMean", c, Normal(1)), RunVar: o.in("RunVar", c, Uniform(0.1, 2))}
					g.DY, g.DX = dx(o)
					if variant != 2 { // without the gradients of the parameters X is not needed either
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
