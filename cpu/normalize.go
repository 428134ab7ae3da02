package cpu

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
)

func bindNormalize(b *binder, n device.Normalize) []phase {
	words, flip, table := b.mem(n.X, n.Words()), b.mem(n.Flip, n.N), b.mem(n.Table, 256*n.C)
	y, row := b.mem(n.Y, n.N*n.H*n.W*n.C), n.W*n.C
	x := device.Bytes(words)
	return overRows(n.N*n.H, row, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			src, dst := x[r*row:][:row], y[r*row:][:row]
			if math.Float32bits(flip[r/n.H]) == 0 {
				look(dst, src, table, n.C)
				continue
			}
			for w := range n.W {
				look(dst[w*n.C:][:n.C], src[(n.W-1-w)*n.C:][:n.C], table, n.C)
			}
		}
	})
}

// look sets dst, whole pixels of so many channels, to what the table has for src.
func look(dst []float32, src []byte, table []float32, channels int) {
	switch channels {
	case 1:
		t := (*[256]float32)(table)
		for i, v := range src {
			dst[i] = t[v]
		}
	case 3:
		t0, t1, t2 := (*[256]float32)(table), (*[256]float32)(table[256:]), (*[256]float32)(table[512:])
		for ; len(src) >= 3 && len(dst) >= 3; src, dst = src[3:], dst[3:] {
			dst[0], dst[1], dst[2] = t0[src[0]], t1[src[1]], t2[src[2]]
		}
	default:
		for i, v := range src {
			dst[i] = table[256*(i%channels)+int(v)]
		}
	}
}
