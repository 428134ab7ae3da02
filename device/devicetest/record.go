package devicetest

import (
	"fmt"
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// recordCases are steps in different slots, with results that are finite and not, before and after a training was halted.
func recordCases() []Case {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	var list []Case
	for _, k := range []struct {
		name             string
		loss, norm, halt float32
	}{
		{"finite", 1.5, 3, 0}, {"loss NaN", nan, 3, 0}, {"loss infinite", -inf, 3, 0}, {"norm NaN", 1.5, nan, 0}, {"norm infinite", 1.5, inf, 0},
		{"both", inf, nan, 0}, {"finite, halted before", 1.5, 3, 1}, {"NaN, halted before", nan, 3, 1}, {"largest", math.MaxFloat32, math.MaxFloat32, 0},
	} {
		for _, at := range []struct {
			slots int
			step  uint32
		}{{1, 0}, {1, 5}, {7, 3}, {7, 20}, {256, math.MaxUint32}, {256, 255}} {
			list = append(list, Case{
				Name: fmt.Sprintf("Record/%s,step %d of %d", k.name, at.step, at.slots),
				Call: func(o *Operands) device.Call {
					return device.Record{Slots: at.slots, Stats: o.in("Stats", device.StatsWords, Constant(k.loss, 7, 8, 9)),
						Norm: o.inoutAs(exact, "Norm", 1, Constant(k.norm)), Hyper: o.in("Hyper", device.HyperWords, hyper(device.Hyper{Step: at.step})),
						Halt: o.inoutAs(exact, "Halt", 1, Constant(k.halt)), Log: o.inoutAs(exact, "Log", at.slots*device.RecordWords, Normal(1))}
				},
			})
		}
	}
	return list
}
