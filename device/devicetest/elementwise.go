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
					return device.ActForward{N: n, Act: act, X: o.in("X", n, Normal(3)), Y: o.out("Y", n)}
				},
			})
			backward = append(backward, Case{
				Name: fmt.Sprintf("ActBackward/%v,%d", act, n),
				Call: func(o *Operands) device.Call {
					return device.ActBackward{N: n, Act: act, Y: o.in("Y", n, activations(act)), DY: o.in("DY", n, Normal(1)), DX: o.out("DX", n)}
				},
			})
		}
		forward = append(forward, Case{
			Name: fmt.Sprintf("ActForward/%v,odd values", act),
			Call: func(o *Operands) device.Call {
				return device.ActForward{N: 26, Act: act, X: o.in("X", 26, odd), Y: o.out("Y", 26)}
			},
		}, Case{
			Name: fmt.Sprintf("ActForward/%v,in place", act),
			Call: func(o *Operands) device.Call {
				x := o.inout("X", 65, Normal(3))
				return device.ActForward{N: 65, Act: act, X: x, Y: x}
			},
		})
		backward = append(backward, Case{
			Name: fmt.Sprintf("ActBackward/%v,in place", act),
			Call: func(o *Operands) device.Call {
				d := o.inout("DY", 65, Normal(1))
				return device.ActBackward{N: 65, Act: act, Y: o.in("Y", 65, activations(act)), DY: d, DX: d}
			},
		}, Case{
			Name: fmt.Sprintf("ActBackward/%v,acc", act),
			Call: func(o *Operands) device.Call {
				return device.ActBackward{N: 515, Act: act, Accumulate: true, Y: o.in("Y", 515, activations(act)), DY: o.in("DY", 515, Normal(1)),
					DX: o.inout("DX", 515, Normal(1))}
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
				return device.Add{N: n, Act: act, A: o.in("A", n, Normal(1)), B: o.in("B", n, Normal(1)), Y: o.out("Y", n)}
			},
		})
		fill = append(fill, Case{
			Name: fmt.Sprintf("Fill/%d", n),
			Call: func(o *Operands) device.Call {
				return device.Fill{N: n, Value: float32(i) - 0.5, Y: o.outAs(exact, "Y", n)}
			},
		})
	}
	add = append(add, Case{
		Name: "Add/into A",
		Call: func(o *Operands) device.Call {
			y := o.inout("A", 65, Normal(1))
			return device.Add{N: 65, Act: device.ReLU, A: y, B: o.in("B", 65, Normal(1)), Y: y}
		},
	}, Case{
		Name: "Add/into B",
		Call: func(o *Operands) device.Call {
			y := o.inout("B", 65, Normal(1))
			return device.Add{N: 65, A: o.in("A", 65, Normal(1)), B: y, Y: y}
		},
	})
	return append(append(add, copyCases()...), fill...)
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
					dst := o.inoutAs(exact, "Dst", rows*to, Integers(-99, 100))
					return device.Copy{Rows: rows, Cols: cols, SrcStride: from, DstStride: to, Accumulate: acc,
						Src: o.in("Src", rows*from, Integers(-99, 100)), Dst: dst.Slice(4*int64(at), dst.Len-4*int64(at))}
				},
			})
		}
	}
	return list
}

func dropoutCases() []Case {
	var list []Case
	for i, n := range lengths {
		for j, p := range []float32{0, 0.1, 0.5, 0.9} {
			list = append(list, Case{
				Name: fmt.Sprintf("Dropout/%d,p=%v", n, p),
				Call: func(o *Operands) device.Call {
					d := device.Dropout{N: n, P: p, Seed: uint64(i+1) << 30, Layer: uint32(j), Accumulate: (i+j)%3 == 0,
						Hyper: o.in("Hyper", device.HyperWords, hyper(device.Hyper{Step: 0x7f800001 + uint32(i)<<27}))}
					if (i+j)%3 == 1 {
						d.X = o.inout("X", n, Normal(1))
						d.Y = d.X
						return d
					}
					d.X, d.Y = o.in("X", n, Normal(1)), o.result("Y", n, d.Accumulate)
					return d
				},
			})
		}
	}
	return list
}
