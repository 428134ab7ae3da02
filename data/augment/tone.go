package augment

import (
	"github.com/cnnctl/cnnctl/data"
)

// This file holds the operations that replace each byte through a table, with PIL's roundings (module ImageOps).

// fillTable looks each byte up in f, which depends on nothing else.
func fillTable(m *data.Image, f func(v int) int) {
	var table [256]uint8
	for v := range table {
		table[v] = uint8(f(v))
	}
	lookup(m, &table)
}

// posterize keeps the upper bits of each byte: 8 changes nothing, 0 leaves black.
func posterize(m *data.Image, bits int) {
	bits = min(max(bits, 0), 8)
	mask := 0xff &^ (1<<(8-bits) - 1)
	fillTable(m, func(v int) int { return v & mask })
}

// solarize inverts what is not below the threshold.
func solarize(m *data.Image, threshold float64) {
	fillTable(m, func(v int) int {
		if float64(v) < threshold {
			return v
		}
		return 255 - v
	})
}

// solarizeAdd brightens the darker half by add.
func solarizeAdd(m *data.Image, add int) {
	fillTable(m, func(v int) int {
		if v < 128 {
			return min(255, v+add)
		}
		return v
	})
}

func invert(m *data.Image) { fillTable(m, func(v int) int { return 255 - v }) }

// histogram counts the values of one channel.
func histogram(m *data.Image, channel int) (h [256]int) {
	for i := channel; i < len(m.Pix); i += m.C {
		h[m.Pix[i]]++
	}
	return h
}

// lookupChannel replaces one channel through a table.
func lookupChannel(m *data.Image, channel int, table *[256]uint8) {
	for i := channel; i < len(m.Pix); i += m.C {
		m.Pix[i] = table[m.Pix[i]]
	}
}

// autocontrast stretches each channel from its smallest and largest value to 0 and 255.
func autocontrast(m *data.Image) {
	for c := range m.C {
		h := histogram(m, c)
		lo, hi := 0, 255
		for lo < 255 && h[lo] == 0 {
			lo++
		}
		for hi > 0 && h[hi] == 0 {
			hi--
		}
		if hi <= lo {
			continue
		}
		var table [256]uint8
		scale := 255 / float64(hi-lo)
		offset := float64(-lo) * scale
		for v := range table {
			table[v] = uint8(min(max(int(float64(float64(v)*scale)+offset), 0), 255))
		}
		lookupChannel(m, c, &table)
	}
}

// equalize maps each channel so that its values are spread evenly.
func equalize(m *data.Image) {
	for c := range m.C {
		h := histogram(m, c)
		last, kinds, total := 0, 0, 0
		for v, n := range h {
			if n > 0 {
				last, kinds, total = v, kinds+1, total+n
			}
		}
		step := (total - h[last]) / 255
		if kinds <= 1 || step == 0 {
			continue
		}
		var table [256]uint8
		n := step / 2
		for v := range table {
			table[v] = uint8(min(n/step, 255))
			n += h[v]
		}
		lookupChannel(m, c, &table)
	}
}
