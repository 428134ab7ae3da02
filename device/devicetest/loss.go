package devicetest

import (
	"fmt"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/philox"
)

var classShapes = [][2]int{{1, 1}, {3, 2}, {5, 7}, {64, 10}, {65, 17}, {33, 100}, {7, 1000}}

func softmaxCases() []Case {
	var forward, backward []Case
	for i, s := range classShapes {
		rows, classes := s[0], s[1]
		n, name := rows*classes, fmt.Sprintf("%dx%d", rows, classes)
		forward = append(forward, Case{
			Name: "Softmax/" + name,
			Call: func(o *Operands) device.Call {
				a := o.act()
				c := device.Softmax{Rows: rows, Classes: classes, Type: a.typ}
				if i%2 == 0 {
					c.X, c.Y = a.in("X", n, Normal(5)), a.out("Y", n)
				} else {
					c.X = a.inout("X", n, Normal(50)) // exp overflows without the subtraction of the largest
					c.Y = c.X
				}
				return c
			},
			Terms: classes,
		})
		for _, acc := range []bool{false, true} {
			backward = append(backward, Case{
				Name: fmt.Sprintf("SoftmaxBackward/%s,acc=%v", name, acc),
				Call: func(o *Operands) device.Call {
					a := o.act()
					return device.SoftmaxBackward{Rows: rows, Classes: classes, Type: a.typ, Accumulate: acc,
						Y: a.in("Y", n, Uniform(0, 1)), DY: a.in("DY", n, Normal(1)), DX: a.result("DX", n, acc)}
				},
				Terms: classes,
			})
		}
	}
	return append(forward, backward...)
}

// targets draws a distribution for each row: one class; two classes mixed by halves of 1/16, so that one of them is larger; or
// nothing, for every padded-th row.
func targets(classes int, mixed bool, padded int) Fill {
	return func(s *philox.Stream, v []float32) {
		for r := 0; r*classes < len(v); r++ {
			row := v[r*classes : (r+1)*classes]
			clear(row)
			if padded > 0 && r%padded == 0 {
				continue
			}
			weight := float32(1)
			if mixed {
				weight = float32(9+s.IntN(8)) / 16
				row[s.IntN(classes)] += 1 - weight
			}
			row[s.IntN(classes)] += weight
		}
	}
}

func crossEntropyCases() []Case {
	var list []Case
	for _, s := range classShapes {
		rows, classes := s[0], s[1]
		n := rows * classes
		for _, v := range []struct {
			name      string
			logits    Fill
			smoothing float32
			mixed     bool
			padded    int
			gradient  int // 0 absent, 1 beside, 2 in place of the logits
		}{
			{"one-hot", Normal(3), 0, false, 0, 1},
			{"smoothed, in place", Normal(3), 0.1, false, 0, 2},
			{"mixed, padded", Normal(3), 0, true, 3, 1},
			{"mixed, smoothed, no gradient", Normal(3), 0.25, true, 0, 0},
			{"no row counts", Normal(3), 0.1, false, 1, 1},
			{"ties", Integers(0, 3), 0, false, 0, 1},
			{"large", Normal(200), 0, false, 2, 2},
		} {
			list = append(list, Case{
				Name: fmt.Sprintf("SoftmaxCrossEntropy/%dx%d,%s", rows, classes, v.name),
				Call: func(o *Operands) device.Call {
					a := o.act()
					c := device.SoftmaxCrossEntropy{Rows: rows, Classes: classes, Type: a.typ, Smoothing: v.smoothing,
						Targets: o.in("Targets", n, targets(classes, v.mixed, v.padded)), Stats: o.outAs(statistics, "Stats", device.StatsWords)}
					switch v.gradient {
					case 0:
						c.Logits = a.in("Logits", n, v.logits)
					case 1:
						c.Logits, c.DLogits = a.in("Logits", n, v.logits), a.out("DLogits", n)
					case 2:
						c.Logits = a.inout("Logits", n, v.logits)
						c.DLogits = c.Logits
					}
					return c
				},
				Terms: n,
			})
		}
	}
	return list
}
