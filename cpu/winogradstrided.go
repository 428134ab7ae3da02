package cpu

import (
	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
)

// stridedBackward returns the products of the gradient of the input of 3x3 filters at stride 2, for kernel.Strided. Along either axis it describes
// the pixels that two taps reach (see classes), whose first output the third tap shares, with the filters rotated.
func stridedBackward(v device.Conv, dy, w, dx []float32, add bool) (list []*kernel.Gather) {
	cg, kg := v.C/v.Groups, v.K/v.Groups
	depth := v.R * v.S * cg
	for i := range v.Groups {
		g := &kernel.Gather{
			A: kernel.Image{X: at(dy, i*kg), H: int64(v.P), W: int64(v.Q), Stride: int64(v.K),
				N: int64(v.N), P: int64((v.H + 1) / 2), Q: int64((v.W + 1) / 2), StepH: 1, StepW: 1,
				FirstH: int64((v.PadTop+1)/2 - 1), FirstW: int64((v.PadLeft+1)/2 - 1), DilH: 1, DilW: 1,
				Rows: int64(v.R), Cols: int64(v.S), Chan: int64(kg)},
			B: kernel.Factor{W: at(w, i*kg*depth+depth-cg), Rows: int64(v.R), Cols: int64(v.S), Chan: int64(kg),
				StepT: int64(-v.S * cg), StepU: int64(-cg), StepJ: int64(depth), StepCol: 1, N: int64(cg)},
			Y: at(dx, i*cg), OutH: int64(v.H), OutW: int64(v.W), OutStride: int64(v.C),
			OutStepH: 2, OutStepW: 2, OutFirstH: int64(v.PadTop % 2), OutFirstW: int64(v.PadLeft % 2),
		}
		if add {
			g.Accumulate = 1
		}
		list = append(list, g)
	}
	return list
}
