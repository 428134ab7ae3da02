package ref

import "github.com/cnnctl/cnnctl/device"

func normalize(b *binder, n device.Normalize) func() {
	words, flip, table := b.mem(n.X, n.Words()), b.mem(n.Flip, n.N), b.mem(n.Table, 256*n.C)
	y := b.mem(n.Y, n.N*n.H*n.W*n.C)
	return func() {
		at := func(i, h, w, c int) int { return ((i*n.H+h)*n.W+w)*n.C + c }
		for i := range n.N {
			for h := range n.H {
				for w := range n.W {
					for c := range n.C {
						from := at(i, h, w, c)
						if toWord(flip[i]) != 0 {
							from = at(i, h, n.W-1-w, c)
						}
						v := toWord(words[from/4]) >> (8 * (from % 4)) & 255
						y[at(i, h, w, c)] = table[256*c+int(v)]
					}
				}
			}
		}
	}
}
