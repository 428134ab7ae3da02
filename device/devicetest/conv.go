package devicetest

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
)

// convShape is a shape with output channels and groups (0 means 1).
type convShape struct {
	shape
	k, g int
}

func (v convShape) conv() device.Conv {
	return device.Conv{Window: v.window(), K: v.k, Groups: max(1, v.g)}
}

func (v convShape) String() string { return fmt.Sprintf("%v,k=%d,g=%d", v.shape, v.k, max(1, v.g)) }

// same3 pads a 3x3 window so that the output is as large as the input.
func same3(n, h, w, c int) shape {
	return shape{n: n, h: h, w: w, c: c, r: 3, s: 3, top: 1, left: 1, bottom: 1, right: 1}
}

// strided3 pads a 3x3 window at stride 2 on all sides.
func strided3(n, h, w, c, pad int) shape {
	return shape{n: n, h: h, w: w, c: c, r: 3, s: 3, sh: 2, sw: 2, top: pad, left: pad, bottom: pad, right: pad}
}

var convShapes = []convShape{
	{shape{n: 1, h: 1, w: 1, c: 1, r: 1, s: 1}, 1, 1},
	{same3(2, 7, 7, 3), 5, 1},
	{shape{n: 1, h: 8, w: 8, c: 4, r: 3, s: 3, sh: 2, sw: 2}, 8, 1},
	{shape{n: 2, h: 15, w: 16, c: 5, r: 5, s: 3, top: 2, left: 1, bottom: 2, right: 1}, 7, 1},
	{shape{n: 3, h: 28, w: 28, c: 1, r: 5, s: 5, top: 2, left: 2, bottom: 2, right: 2}, 6, 1}, // LeNet-5
	{shape{n: 3, h: 14, w: 14, c: 6, r: 5, s: 5}, 16, 1},
	{same3(1, 17, 17, 64), 64, 1},
	{same3(1, 9, 9, 8), 65, 1},
	{shape{n: 1, h: 63, w: 65, c: 3, r: 11, s: 11, sh: 4, sw: 4, top: 2, left: 2, bottom: 2, right: 2}, 17, 1}, // AlexNet
	{shape{n: 1, h: 16, w: 15, c: 4, r: 3, s: 3, dh: 2, dw: 3, top: 2, left: 3, bottom: 2, right: 3}, 8, 1},
	{shape{n: 1, h: 9, w: 33, c: 16, r: 3, s: 3, dh: 3, dw: 2, top: 1, left: 4, bottom: 1, right: 4}, 15, 1},
	{shape{n: 2, h: 8, w: 7, c: 3, r: 4, s: 2, top: 1, bottom: 2, right: 1}, 4, 1}, // same, with an even filter
	{shape{n: 2, h: 8, w: 9, c: 3, r: 3, s: 2, sh: 3, sw: 4, ceil: true}, 4, 1},
	{shape{n: 1, h: 11, w: 8, c: 32, r: 3, s: 3, sh: 2, sw: 3, top: 1, left: 1, bottom: 1, right: 1, ceil: true}, 33, 1},
	{shape{n: 1, h: 2, w: 3, c: 4, r: 5, s: 5, top: 2, left: 2, bottom: 2, right: 2}, 4, 1}, // larger than the image
	{shape{n: 2, h: 1, w: 193, c: 1, r: 1, s: 3, left: 1, right: 1}, 3, 1},
	{shape{n: 1, h: 5, w: 13, c: 31, r: 2, s: 2}, 32, 1},
	{shape{n: 1, h: 4, w: 16, c: 33, r: 1, s: 5, left: 2, right: 2}, 31, 1},
	{shape{n: 2, h: 6, w: 6, c: 2, r: 3, s: 3, top: 4, left: 3, bottom: 4, right: 3}, 3, 1}, // windows in the padding alone
	// Two or more groups.
	{same3(2, 7, 8, 8), 6, 2},
	{same3(1, 8, 8, 64), 64, 4},
	{shape{n: 1, h: 9, w: 8, c: 6, r: 3, s: 3, sh: 2, sw: 2, dh: 2, dw: 2, top: 2, left: 2, bottom: 2, right: 2}, 9, 3},
	{shape{n: 2, h: 5, w: 5, c: 64, r: 1, s: 1}, 64, 2},
	// Depthwise, and depthwise with two outputs for a channel.
	{same3(2, 9, 9, 8), 8, 8},
	{same3(2, 11, 13, 35), 35, 35},
	{shape{n: 1, h: 16, w: 17, c: 65, r: 3, s: 3, sh: 2, sw: 2, top: 1, left: 1, bottom: 1, right: 1}, 65, 65},
	{shape{n: 3, h: 7, w: 8, c: 5, r: 5, s: 4, dh: 2, dw: 1, top: 4, left: 1, bottom: 4, right: 2}, 5, 5},
	{same3(1, 6, 7, 4), 8, 4},
	// 1x1 windows, with and without a stride or padding.
	{shape{n: 1, h: 9, w: 9, c: 64, r: 1, s: 1}, 65, 1},
	{shape{n: 2, h: 8, w: 7, c: 3, r: 1, s: 1}, 8, 1},
	{shape{n: 1, h: 63, w: 40, c: 16, r: 1, s: 1}, 8, 1},
	{shape{n: 2, h: 9, w: 9, c: 17, r: 1, s: 1, sh: 2, sw: 2}, 16, 1},
	{shape{n: 1, h: 5, w: 5, c: 8, r: 1, s: 1, top: 1, left: 1, bottom: 1, right: 1}, 8, 1},
	// Wide: several blocks of channels, filters or pixels.
	{same3(1, 4, 4, 260), 9, 1},
	{same3(1, 3, 5, 70), 200, 1},
	{same3(4, 16, 17, 16), 8, 1},
	{shape{n: 5, h: 17, w: 16, c: 4, r: 3, s: 3}, 70, 1},
	// Around the edges of tiles of 2x2 and 4x4 outputs, with every padding.
	{same3(1, 1, 9, 2), 3, 1},
	{same3(2, 2, 8, 5), 4, 1},
	{same3(1, 3, 7, 9), 17, 1},
	{same3(1, 4, 6, 3), 8, 1},
	{same3(3, 5, 5, 1), 1, 1},
	{shape{n: 1, h: 8, w: 6, c: 7, r: 3, s: 3}, 5, 1},
	{shape{n: 2, h: 7, w: 5, c: 17, r: 3, s: 3, top: 2, left: 2, bottom: 2, right: 2}, 3, 1},
	{shape{n: 1, h: 6, w: 9, c: 2, r: 3, s: 3, top: 1, right: 1}, 6, 1},
	{same3(3, 9, 13, 33), 35, 1},
	{shape{n: 8, h: 10, w: 7, c: 32, r: 3, s: 3, left: 1, bottom: 2, right: 2}, 32, 1},
	// Around the edges of tiles of 4x4 outputs at stride 2, which all numbers of outputs from 1 to 4 are left over for, with every padding.
	{strided3(2, 14, 16, 33, 1), 35, 1},
	{strided3(3, 7, 10, 5, 1), 4, 1},
	{strided3(1, 12, 3, 17, 0), 9, 1},
	{strided3(2, 9, 1, 3, 2), 18, 1},
	{strided3(1, 5, 22, 8, 1), 6, 2},
	{shape{n: 1, h: 11, w: 6, c: 2, r: 3, s: 3, sh: 2, sw: 2, top: 3, left: 2, bottom: 1}, 3, 1},
	{strided3(2, 28, 30, 40, 1), 33, 1},
	{shape{n: 2, h: 31, w: 26, c: 3, r: 7, s: 7, sh: 2, sw: 2, top: 3, left: 3, bottom: 3, right: 3}, 31, 1}, // ResNet
}

func convCases() []Case {
	var forward, data, filter []Case
	for i, v := range convShapes {
		forward = append(forward, convForward(v, i%len(epilogues)))
		for _, acc := range []bool{false, true} {
			data = append(data, convBackwardData(v, acc))
			filter = append(filter, convBackwardFilter(v, acc))
		}
	}
	for e := range epilogues {
		// One shape for each way that a convolution might be computed in.
		for _, v := range []convShape{
			{same3(1, 9, 8, 3), 17, 1}, {same3(1, 9, 8, 33), 17, 1}, {same3(1, 9, 8, 16), 16, 16}, {same3(1, 9, 8, 24), 6, 3},
			{shape{n: 1, h: 9, w: 8, c: 33, r: 1, s: 1}, 17, 1},
		} {
			forward = append(forward, convForward(v, e))
		}
	}
	return append(append(forward, data...), filter...)
}

func convForward(s convShape, epilogue int) Case {
	v := s.conv()
	depth := v.R * v.S * v.C / v.Groups
	return Case{
		Name: fmt.Sprintf("ConvForward/%v,epilogue=%d", s, epilogue),
		Call: func(o *Operands) device.Call {
			v, a := v, o.act()
			v.Precision = o.precision
			return device.ConvForward{Conv: v,
				X:        a.in("X", v.In(), Normal(1)),
				Weight:   a.in("Weight", v.FilterLen(), unit(depth)),
				Y:        a.out("Y", v.Out(v.K)),
				Epilogue: o.epilogue(epilogue, v.N*v.P*v.Q, v.K, o.typ()),
			}
		},
		Terms: depth, Product: true,
	}
}

func convBackwardData(s convShape, acc bool) Case {
	v := s.conv()
	terms := v.R * v.S * v.K / v.Groups
	return Case{
		Name: fmt.Sprintf("ConvBackwardData/%v,acc=%v", s, acc),
		Call: func(o *Operands) device.Call {
			v, a := v, o.act()
			v.Precision = o.precision
			return device.ConvBackwardData{Conv: v, Accumulate: acc,
				DY:     a.in("DY", v.Out(v.K), Normal(1)),
				Weight: a.in("Weight", v.FilterLen(), unit(terms)),
				DX:     a.result("DX", v.In(), acc),
			}
		},
		Terms: terms, Product: true,
	}
}

func convBackwardFilter(s convShape, acc bool) Case {
	v := s.conv()
	terms := v.N * v.P * v.Q
	return Case{
		Name: fmt.Sprintf("ConvBackwardFilter/%v,acc=%v", s, acc),
		Call: func(o *Operands) device.Call {
			v, a := v, o.act()
			v.Precision = o.precision
			return device.ConvBackwardFilter{Conv: v, Accumulate: acc,
				X:       a.in("X", v.In(), Normal(1)),
				DY:      a.in("DY", v.Out(v.K), unit(terms)),
				DWeight: o.result("DWeight", v.FilterLen(), acc),
			}
		},
		Terms: terms, Product: true,
	}
}
