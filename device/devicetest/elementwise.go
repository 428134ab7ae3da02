package devicetest

import (
	"fmt"
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// lengths lie around vectors, warps and the blocks that devices cut long operands into.
var lengths = []int{1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 257, 1023, 40000}

// odd are values that elementwise functions must not stumble over.
var odd = Constant(0, float32(math.Copysign(0, -1)), 1e-40, -1e-40, 1e-7, -1e-7, 0.01, -0.01, 5.999, 6, 6.001, 8.9, -8.9, 9.1, -9.1, 50, -50,
	90, -90, 1e30, -1e30, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), -float32(math.NaN()), math.Float32frombits(0xffc00000))

func actCases() []Case {
	var forward, backward []Case
	for act := device.Identity; act <= device.Sigmoid; act++ {
		for _, n := range lengths {
			forward = append(forward, Case{
				Name: fmt.Sprintf("ActForward/%v,%d", act, n),
				Call: func(o *Operands) device.Call {
					a := o.act()
					return device.ActForward{N: n, Type: a.typ, Act: act, X: a.in("X", n, Normal(3)), Y: a.out("Y", n)}
				},
			})
			backward = append(backward, Case{
				Name: fmt.Sprintf("ActBackward/%v,%d", act, n),
				Call: func(o *Operands) device.Call {
					a := o.act()
					return device.ActBackward{N: n, Type: a.typ, Act: act, Y: a.in("Y", n, activations(act)), DY: a.in("DY", n, Normal(1)), DX: a.out("DX", n)}
				},
			})
		}
		forward = append(forward, Case{
			Name: fmt.Sprintf("ActForward/%v,odd values", act),
			Call: func(o *Operands) device.Call {
				a := o.act()
				return device.ActForward{N: 26, Type: a.typ, Act: act, X: a.in("X", 26, odd), Y: a.out("Y", 26)}
			},
		}, Case{
			Name: fmt.Sprintf("ActForward/%v,in place", act),
			Call: func(o *Operands) device.Call {
				x := o.act().inout("X", 65, Normal(3))
				return device.ActForward{N: 65, Type: o.typ(), Act: act, X: x, Y: x}
			},
		})
		backward = append(backward, Case{
			Name: fmt.Sprintf("ActBackward/%v,in place", act),
			Call: func(o *Operands) device.Call {
				a := o.act()
				d := a.inout("DY", 65, Normal(1))
				return device.ActBackward{N: 65, Type: a.typ, Act: act, Y: a.in("Y", 65, activations(act)), DY: d, DX: d}
			},
		}, Case{
			Name: fmt.Sprintf("ActBackward/%v,acc", act),
			Call: func(o *Operands) device.Call {
				a := o.act()
				return device.ActBackward{N: 515, Type: a.typ, Act: act, Accumulate: true, Y: a.in("Y", 515, activations(act)), DY: a.in("DY", 515, Normal(1)),
					DX: a.inout("DX", 515, Normal(1))}
			},
		})
	}
	return append(forward, backward...)
}

func elementwiseCases() []Case {
	var add, fill []Case
	for i, n := range lengths {
		act := device.Act(i % 5)
		add = append(add, Case{
			Name: fmt.Sprintf("Add/%d,%v", n, act),
			Call: func(o *Operands) device.Call {
				a := o.act()
				return device.Add{N: n, Type: a.typ, Act: act, A: a.in("A", n, Normal(1)), B: a.in("B", n, Normal(1)), Y: a.out("Y", n)}
			},
		})
		fill = append(fill, Case{
			Name: fmt.Sprintf("Fill/%d", n),
			Call: func(o *Operands) device.Call {
				return device.Fill{N: n, Type: o.typ(), Value: float32(i) - 0.5, Y: o.act().outAs(exact, "Y", n)}
			},
		})
	}
	add = append(add, Case{
		Name: "Add/into A",
		Call: func(o *Operands) device.Call {
			a := o.act()
			y := a.inout("A", 65, Normal(1))
			return device.Add{N: 65, Type: a.typ, Act: device.ReLU, A: y, B: a.in("B", 65, Normal(1)), Y: y}
		},
	}, Case{
		Name: "Add/into B",
		Call: func(o *Operands) device.Call {
			a := o.act()
			y := a.inout("B", 65, Normal(1))
			return device.Add{N: 65, Type: a.typ, A: a.in("A", 65, Normal(1)), B: y, Y: y}
		},
	})
	return append(append(append(add, copyCases()...), fill...), castCases()...)
}

// castCases need bfloat16 in either direction, so that they are part of BF16 alone.
func castCases() []Case {
	var list []Case
	for _, n := range lengths {
		list = append(list, Case{
			Name: fmt.Sprintf("Cast/%d to bfloat16", n),
			Call: func(o *Operands) device.Call {
				return device.Cast{N: n, To: device.BFloat16, X: o.in("X", n, Normal(1)), Y: placer{o, device.BFloat16}.outAs(exact, "Y", n)}
			},
		}, Case{
			Name: fmt.Sprintf("Cast/%d to float32", n),
			Call: func(o *Operands) device.Call {
				return device.Cast{N: n, From: device.BFloat16, X: placer{o, device.BFloat16}.in("X", n, Normal(1)), Y: o.outAs(exact, "Y", n)}
			},
		})
	}
	return append(list, Case{
		Name: "Cast/ties and odd values to bfloat16",
		Call: func(o *Operands) device.Call {
			ties := Constant(1+1.0/256, 1+3.0/256, -1-1.0/256, 1+1.0/256+1.0/(1<<23), 1+3.0/256-1.0/(1<<23), 3.4e38, -3.4e38, 1e-40, float32(math.Inf(1)), float32(math.NaN()))
			return device.Cast{N: 100, To: device.BFloat16, X: o.in("X", 100, ties), Y: placer{o, device.BFloat16}.outAs(exact, "Y", 100)}
		},
	})
}

func copyCases() []Case {
	var list []Case
	for _, v := range [][5]int{ // rows, columns, strides of source and destination, first column of the destination
		{1, 1, 1, 1, 0}, {3, 5, 5, 5, 0}, {7, 3, 8, 5, 1}, {65, 64, 64, 130, 65}, {17, 33, 70, 33, 0}, {4, 1, 9, 3, 2}, {1, 1000, 1000, 1000, 0}, {500, 40, 41, 43, 3},
	} {
		rows, cols, from, to, at := v[0], v[1], v[2], v[3], v[4]
		for _, acc := range []bool{false, true} {
			list = append(list, Case{
				Name: fmt.Sprintf("Copy/%dx%d,%d to %d,acc=%v", rows, cols, from, to, acc),
				Call: func(o *Operands) device.Call {
					// The whole destination is compared: the columns beside the block must stay as they are.
					a := o.act()
					dst := a.inoutAs(exact, "Dst", rows*to, Integers(-99, 100))
					skip := a.typ.Size() * int64(at)
					return device.Copy{Rows: rows, Cols: cols, Type: a.typ, SrcStride: from, DstStride: to, Accumulate: acc,
						Src: a.in("Src", rows*from, Integers(-99, 100)), Dst: dst.Slice(skip, dst.Len-skip)}
				},
			})
		}
	}
	return append(list, Case{
		Name: "Copy/in place",
		Call: func(o *Operands) device.Call {
			a := o.act()
			m := a.inoutAs(exact, "Dst", 65, Normal(1))
			return device.Copy{Rows: 5, Cols: 13, Type: a.typ, SrcStride: 13, DstStride: 13, Src: m, Dst: m}
		},
	})
}

func dropoutCases() []Case {
	var list []Case
	for i, n := range lengths {
		for j, p := range []float32{0, 0.1, 0.5, 0.9} {
			list = append(list, Case{
				Name: fmt.Sprintf("Dropout/%d,p=%v", n, p),
				Call: func(o *Operands) device.Call {
					a := o.act()
					d := device.Dropout{N: n, Type: a.typ, P: p, Seed: uint64(i+1) << 30, Layer: uint32(j), Accumulate: (i+j)%3 == 0,
						Hyper: o.in("Hyper", device.HyperWords, hyper(device.Hyper{Step: 0x7f800001 + uint32(i)<<27}))}
					if (i+j)%3 == 1 {
						d.X = a.inout("X", n, Normal(1))
						d.Y = d.X
						return d
					}
					d.X, d.Y = a.in("X", n, Normal(1)), a.result("Y", n, d.Accumulate)
					return d
				},
			})
		}
	}
	return append(list, Case{
		Name: "Dropout/dropped infinities are zero",
		Call: func(o *Operands) device.Call {
			a := o.act()
			return device.Dropout{N: 259, Type: a.typ, P: 0.5, X: a.in("X", 259, sprinkled(Normal(1), 3, math.Inf(1))), Y: a.out("Y", 259),
				Hyper: o.in("Hyper", device.HyperWords, hyper(device.Hyper{Step: 1}))}
		},
	})
}
