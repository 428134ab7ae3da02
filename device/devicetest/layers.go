package devicetest

import "github.com/cnnctl/cnnctl/device"

// Layers are calls of the size that training has: layers of LeNet-5, AlexNet and VGG, for benchmarks.
func Layers(p device.Precision) []Case {
	convs := []convShape{
		{shape{n: 64, h: 28, w: 28, c: 1, r: 5, s: 5, top: 2, left: 2, bottom: 2, right: 2}, 6, 1}, // LeNet-5
		{shape{n: 64, h: 14, w: 14, c: 6, r: 5, s: 5}, 16, 1},
		{shape{n: 4, h: 64, w: 64, c: 3, r: 11, s: 11, sh: 4, sw: 4, top: 2, left: 2, bottom: 2, right: 2}, 64, 1}, // AlexNet at 64x64
		{same3(16, 32, 32, 3), 64, 1}, // VGG-11 at 32x32
		{same3(16, 16, 16, 64), 128, 1},
		{same3(16, 4, 4, 256), 512, 1},
		{same3(16, 2, 2, 512), 512, 1},
		{same3(4, 28, 28, 64), 64, 64},
		{shape{n: 4, h: 28, w: 28, c: 64, r: 1, s: 1}, 128, 1},
	}
	var list []Case
	for _, v := range convs {
		list = append(list, convForward(v, 2))
	}
	for _, v := range convs {
		list = append(list, convBackwardData(v, false))
	}
	for _, v := range convs {
		list = append(list, convBackwardFilter(v, false))
	}
	for _, g := range []device.Gemm{
		{M: 64, N: 120, K: 400, TransB: true}, {M: 64, N: 400, K: 120}, {M: 120, N: 400, K: 64, TransA: true},
		{M: 64, N: 10, K: 84, TransB: true}, {M: 16, N: 4096, K: 512, TransB: true}, {M: 4096, N: 512, K: 16, TransA: true},
	} {
		list = append(list, gemmCase(g, 0, g.TransA))
	}
	pool := shape{n: 64, h: 28, w: 28, c: 6, r: 2, s: 2, sh: 2, sw: 2}
	wide := shape{n: 16, h: 32, w: 32, c: 64, r: 2, s: 2, sh: 2, sw: 2}
	for _, c := range Cases(p) {
		switch c.Name {
		case "BiasGrad/9000x8,acc=false", "Dropout/40000,p=0.5", "BatchNormForward/5000x16,normal", "BatchNormBackward/5000x16,plain",
			"LRNForward/300x96,size=5,beta=0.75", "LRNBackward/300x96,size=5,beta=0.75,acc=false", "ActForward/relu,40000", "ActForward/tanh,40000",
			"ActBackward/relu,40000", "ActBackward/tanh,40000", "AdamW/,60000,no clipping", "Norm2/40000,normal":
			list = append(list, c)
		}
	}
	list = append(list, pools(pool, wide)...)
	for i := range list {
		list[i].Precision = p
	}
	return list
}
