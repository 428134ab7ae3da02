package ref

import "github.com/cnnctl/cnnctl/device"

func gemm(b *binder, g device.Gemm) func() {
	t := g.Precision.Type()
	a, bb, c := b.in(g.A, g.M*g.K, t), b.in(g.B, g.K*g.N, t), b.out(g.C, g.M*g.N, g.CType)
	e := b.epilogue(g.Epilogue, g.M, g.N, g.CType)
	return func() {
		for i := range g.M {
			for j := range g.N {
				sum := 0.0
				for k := range g.K {
					ai, bi := i*g.K+k, k*g.N+j
					if g.TransA {
						ai = k*g.M + i
					}
					if g.TransB {
						bi = j*g.K + k
					}
					sum += a[ai] * bb[bi]
				}
				o := i*g.N + j
				store(&c[o], e.apply(sum, o, j), g.Accumulate)
			}
		}
	}
}

func biasGrad(b *binder, g device.BiasGrad) func() {
	dy, db := b.in(g.DY, g.Rows*g.Cols, g.Type), b.mem(g.DB, g.Cols)
	return func() {
		for c := range g.Cols {
			sum := 0.0
			for r := range g.Rows {
				sum += dy[r*g.Cols+c]
			}
			store(&db[c], sum, g.Accumulate)
		}
	}
}
