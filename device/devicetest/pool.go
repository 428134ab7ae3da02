package devicetest

import (
	"fmt"
	"math"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/philox"
)

var poolShapes = []shape{
	{n: 1, h: 1, w: 1, c: 1, r: 1, s: 1},
	{n: 3, h: 28, w: 28, c: 6, r: 2, s: 2, sh: 2, sw: 2},  // LeNet-5
	{n: 2, h: 15, w: 13, c: 64, r: 3, s: 3, sh: 2, sw: 2}, // AlexNet: windows overlap
	{n: 1, h: 8, w: 9, c: 3, r: 3, s: 3, sh: 2, sw: 2, top: 1, left: 1, bottom: 1, right: 1},
	{n: 2, h: 6, w: 7, c: 5, r: 3, s: 2, sh: 2, sw: 2, ceil: true},
	{n: 1, h: 9, w: 8, c: 4, r: 3, s: 3, sh: 4, sw: 3, top: 1, left: 1, bottom: 1, right: 1, ceil: true},
	{n: 1, h: 7, w: 7, c: 8, r: 2, s: 3, sh: 1, sw: 4},
	{n: 2, h: 9, w: 11, c: 1, r: 3, s: 2, dh: 2, dw: 3, top: 1, left: 1, bottom: 1},
	{n: 1, h: 4, w: 5, c: 17, r: 2, s: 2, sh: 3, sw: 3},                        // rows and columns that no window reads
	{n: 1, h: 2, w: 3, c: 3, r: 4, s: 5, top: 2, left: 2, bottom: 2, right: 2}, // larger than the image
	{n: 1, h: 5, w: 6, c: 2, r: 3, s: 4, left: 2, bottom: 1, right: 1},
	{n: 1, h: 7, w: 7, c: 300, r: 7, s: 7},
	{n: 33, h: 3, w: 3, c: 4, r: 2, s: 2, sh: 1, sw: 1},
}

// pools are both kinds of pooling over some windows, forward and backward, without variations.
func pools(shapes ...shape) []Case {
	var list []Case
	for _, s := range shapes {
		list = append(list, maxPoolForward(s, "normal", Normal(1), true), maxPoolBackward(s, false), avgPoolForward(s, false), avgPoolBackward(s, false, false))
	}
	return list
}

func maxPoolForward(s shape, name string, f Fill, arg bool) Case {
	w := s.window()
	return Case{
		Name: fmt.Sprintf("MaxPoolForward/%v,%s", s, name),
		Call: func(o *Operands) device.Call {
			a := o.act()
			c := device.MaxPoolForward{Window: w, Type: a.typ, X: a.in("X", w.In(), f), Y: a.outAs(exact, "Y", w.Out(w.C))}
			if arg {
				c.Arg = o.outAs(exact, "Arg", w.Out(w.C))
			}
			return c
		},
	}
}

func maxPoolBackward(s shape, acc bool) Case {
	w := s.window()
	return Case{
		Name: fmt.Sprintf("MaxPoolBackward/%v,acc=%v", s, acc),
		Call: func(o *Operands) device.Call {
			a := o.act()
			return device.MaxPoolBackward{Window: w, Type: a.typ, Accumulate: acc,
				DY: a.in("DY", w.Out(w.C), Normal(1)), Arg: o.in("Arg", w.Out(w.C), positions(w)), DX: a.result("DX", w.In(), acc)}
		},
		Terms: w.R * w.S,
	}
}

func avgPoolForward(s shape, exclude bool) Case {
	w := s.window()
	return Case{
		Name: fmt.Sprintf("AvgPoolForward/%v,exclude=%v", s, exclude),
		Call: func(o *Operands) device.Call {
			a := o.act()
			return device.AvgPoolForward{Window: w, PadBottom: s.bottom, PadRight: s.right, ExcludePad: exclude, Type: a.typ,
				X: a.in("X", w.In(), Normal(1)), Y: a.out("Y", w.Out(w.C))}
		},
		Terms: w.R * w.S,
	}
}

func avgPoolBackward(s shape, exclude, acc bool) Case {
	w := s.window()
	return Case{
		Name: fmt.Sprintf("AvgPoolBackward/%v,exclude=%v,acc=%v", s, exclude, acc),
		Call: func(o *Operands) device.Call {
			a := o.act()
			return device.AvgPoolBackward{Window: w, PadBottom: s.bottom, PadRight: s.right, ExcludePad: exclude, Type: a.typ, Accumulate: acc,
				DY: a.in("DY", w.Out(w.C), Normal(1)), DX: a.result("DX", w.In(), acc)}
		},
		Terms: w.R * w.S,
	}
}

func maxPoolCases() []Case {
	fills := []struct {
		name string
		fill Fill
	}{
		{"normal", Normal(1)},
		{"ties", Integers(-1, 2)},
		{"-Inf", Constant(float32(math.Inf(-1)))},
		{"NaN", sprinkled(Normal(1), 9, math.NaN())},
	}
	var forward, backward []Case
	for i, s := range poolShapes {
		for j, f := range fills {
			forward = append(forward, maxPoolForward(s, f.name, f.fill, (i+j)%3 != 2))
		}
		for _, acc := range []bool{false, true} {
			backward = append(backward, maxPoolBackward(s, acc))
		}
	}
	return append(forward, backward...)
}

// positions draws for each window of w one of its positions that lie in the image.
func positions(w device.Window) Fill {
	return func(s *philox.Stream, v []float32) {
		for i := range v {
			p, q := i/w.C/w.Q%w.P, i/w.C%w.Q
			for {
				r, t := s.IntN(w.R), s.IntN(w.S)
				h, x := p*w.StrideH-w.PadTop+r*w.DilH, q*w.StrideW-w.PadLeft+t*w.DilW
				if h >= 0 && h < w.H && x >= 0 && x < w.W {
					v[i] = float32(r*w.S + t)
					break
				}
			}
		}
	}
}

func avgPoolCases() []Case {
	// A window in the padding alone has a mean of zero.
	shapes := append([]shape{{n: 1, h: 3, w: 3, c: 3, r: 2, s: 2, top: 2, left: 3, bottom: 2, right: 3}}, poolShapes...)
	var forward, backward []Case
	for _, s := range shapes {
		for _, exclude := range []bool{false, true} {
			forward = append(forward, avgPoolForward(s, exclude))
			for _, acc := range []bool{false, true} {
				backward = append(backward, avgPoolBackward(s, exclude, acc))
			}
		}
	}
	return append(forward, backward...)
}

func adaptiveCases() []Case {
	var forward, backward []Case
	for _, v := range [][6]int{ // N, H, W, C, P, Q
		{1, 1, 1, 1, 1, 1}, {2, 7, 7, 64, 1, 1}, {2, 7, 5, 3, 3, 2}, {1, 13, 13, 17, 6, 6}, {1, 6, 6, 8, 6, 6},
		{2, 2, 3, 5, 5, 7}, {1, 7, 7, 4, 7, 1}, {3, 8, 8, 4, 3, 5}, {1, 1, 9, 31, 4, 4},
	} {
		n, h, w, c, p, q := v[0], v[1], v[2], v[3], v[4], v[5]
		name := fmt.Sprintf("%dx%dx%dx%d to %dx%d", n, h, w, c, p, q)
		forward = append(forward, Case{
			Name: "AdaptiveAvgPoolForward/" + name,
			Call: func(o *Operands) device.Call {
				a := o.act()
				return device.AdaptiveAvgPoolForward{N: n, H: h, W: w, C: c, P: p, Q: q, Type: a.typ,
					X: a.in("X", n*h*w*c, Normal(1)), Y: a.out("Y", n*p*q*c)}
			},
			Terms: h * w,
		})
		for _, acc := range []bool{false, true} {
			backward = append(backward, Case{
				Name: fmt.Sprintf("AdaptiveAvgPoolBackward/%s,acc=%v", name, acc),
				Call: func(o *Operands) device.Call {
					a := o.act()
					return device.AdaptiveAvgPoolBackward{N: n, H: h, W: w, C: c, P: p, Q: q, Type: a.typ, Accumulate: acc,
						DY: a.in("DY", n*p*q*c, Normal(1)), DX: a.result("DX", n*h*w*c, acc)}
				},
				Terms: p * q,
			})
		}
	}
	return append(forward, backward...)
}
