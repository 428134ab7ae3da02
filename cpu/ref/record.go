package ref

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
)

func record(b *binder, r device.Record) func() {
	stats, norm, hyper := b.mem(r.Stats, device.StatsWords), b.mem(r.Norm, 1), b.mem(r.Hyper, device.HyperWords)
	halt, log := b.mem(r.Halt, 1), b.mem(r.Log, r.Slots*device.RecordWords)
	return func() {
		row := log[int(toWord(hyper[0]))%r.Slots*device.RecordWords:]
		copy(row, stats)
		row[device.StatsWords] = norm[0]
		for _, v := range []float64{stats[0], norm[0]} {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				halt[0] = 1
			}
		}
		if halt[0] != 0 {
			norm[0] = math.NaN()
		}
	}
}
