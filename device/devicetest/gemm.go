package devicetest

import (
	"fmt"
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// epilogues are the combinations that networks use, and then some.
var epilogues = []struct {
	bias, residual bool
	act            device.Act
}{
	{},
	{bias: true},
	{bias: true, act: device.ReLU},
	{bias: true, residual: true, act: device.ReLU6},
	{residual: true},
	{act: device.Tanh},
	{bias: true, residual: true, act: device.Sigmoid},
}

// epilogue places the operands of epilogue i, for an output of a type.
func (o *Operands) epilogue(i, rows, cols int, t device.Type) device.Epilogue {
	e := epilogues[i]
	d := device.Epilogue{Act: e.act}
	if e.bias {
		d.Bias = o.in("Bias", cols, Normal(1))
	}
	if e.residual {
		d.Residual = placer{o, t}.in("Residual", rows*cols, Normal(1))
	}
	return d
}

// unit is a fill whose sums of n products with standard normal values are standard normal again, so that
// activations see their interesting range.
func unit(n int) Fill { return Normal(1 / math.Sqrt(float64(n))) }

// gemmCase has a result in float32 if wide is set, else one of the type of activations.
func gemmCase(g device.Gemm, epilogue int, wide bool) Case {
	return Case{
		Name: fmt.Sprintf("Gemm/%dx%dx%d,ta=%v,tb=%v,acc=%v,epilogue=%d", g.M, g.N, g.K, g.TransA, g.TransB, g.Accumulate, epilogue),
		Call: func(o *Operands) device.Call {
			g, a := g, o.act()
			g.Precision, g.CType = o.precision, o.typ()
			if wide {
				g.CType = device.Float32
			}
			g.A = a.in("A", g.M*g.K, Normal(1))
			g.B = a.in("B", g.K*g.N, unit(g.K))
			g.C = placer{o, g.CType}.result("C", g.M*g.N, g.Accumulate)
			g.Epilogue = o.epilogue(epilogue, g.M, g.N, g.CType)
			return g
		},
		Terms:   g.K,
		Product: true,
	}
}

func gemmCases() []Case {
	var list []Case
	for i, s := range [][3]int{
		{1, 1, 1}, {1, 7, 3}, {3, 1, 8}, {7, 3, 1}, {8, 8, 8}, {15, 16, 17}, {16, 17, 15}, {17, 15, 16}, {31, 33, 32}, {33, 32, 31},
		{63, 64, 65}, {64, 65, 63}, {65, 63, 64}, {64, 10, 84}, {64, 120, 400}, {2, 193, 5}, {193, 2, 70}, {100, 20, 60}, {60, 100, 20},
		{5, 3, 3000}, {33, 40, 2100}, {1, 300, 64}, {300, 1, 64}, {65, 200, 257},
	} {
		for t := range 8 {
			g := device.Gemm{M: s[0], N: s[1], K: s[2], TransA: t&1 != 0, TransB: t&2 != 0, Accumulate: t&4 != 0}
			list = append(list, gemmCase(g, 0, (i+t)%2 == 0))
		}
	}
	for e := 1; e < len(epilogues); e++ {
		list = append(list,
			gemmCase(device.Gemm{M: 17, N: 33, K: 15, TransB: true}, e, false),
			gemmCase(device.Gemm{M: 65, N: 7, K: 64, TransA: true}, e, true),
			gemmCase(device.Gemm{M: 9, N: 31, K: 2500}, e, e%2 == 0))
	}
	return list
}

func biasGradCases() []Case {
	var list []Case
	for _, s := range [][2]int{{1, 1}, {1, 65}, {3, 7}, {64, 10}, {255, 6}, {1000, 3}, {257, 64}, {9000, 8}, {17, 1000}} {
		for _, acc := range []bool{false, true} {
			rows, cols := s[0], s[1]
			list = append(list, Case{
				Name: fmt.Sprintf("BiasGrad/%dx%d,acc=%v", rows, cols, acc),
				Call: func(o *Operands) device.Call {
					return device.BiasGrad{Rows: rows, Cols: cols, Accumulate: acc,
						Type: o.typ(), DY: o.act().in("DY", rows*cols, Normal(1)), DB: o.result("DB", cols, acc)}
				},
				Terms: rows,
			})
		}
	}
	return list
}
