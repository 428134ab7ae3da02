package cpu

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
)

func bindRecord(b *binder, r device.Record) []phase {
	stats, norm, hyper := b.mem(r.Stats, device.StatsWords), b.mem(r.Norm, 1), b.mem(r.Hyper, device.HyperWords)
	halt, log := b.mem(r.Halt, 1), b.mem(r.Log, r.Slots*device.RecordWords)
	finite := func(v float32) bool { return v-v == 0 }
	return []phase{{1, func(_, _ int) {
		slot := int(math.Float32bits(hyper[0]) % uint32(r.Slots))
		row := log[slot*device.RecordWords:][:device.RecordWords]
		copy(row, stats)
		row[device.StatsWords] = norm[0]
		if !finite(stats[0]) || !finite(norm[0]) {
			halt[0] = 1
		}
		if halt[0] != 0 {
			norm[0] = float32(math.NaN())
		}
	}}}
}
