package cpu

import (
	"unsafe"

	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
)

// ptr returns the address of an operand, or nil if it is absent.
func ptr(s []float32) *float32 { return unsafe.SliceData(s) }

// at returns the address of element i of an operand.
func at(s []float32, i int) *float32 {
	if s == nil {
		return nil
	}
	return &s[i]
}

// A gatherTask is the part of a product that one worker computes in one call.
type gatherTask struct {
	g              *kernel.Gather
	i0, i1, j0, j1 int
}

// worthTask is the number of multiply-adds that make a task: some 20 µs.
const worthTask = 1 << 20

// packLimit is the number of floats up to which a right factor is packed as a whole before the product. Beyond it a task packs
// what it needs into a buffer that stays in its cache.
const packLimit = 8 << 20

// gathers returns the phases that compute several products. Where the rows of a product are shared out, its right factor is packed once for
// all tasks; where there are few rows, as in a fully connected layer, the columns are shared out, and each task packs its own.
// How it is cut does not show in the results: no sum is divided between tasks.
func gathers(b *binder, list ...*kernel.Gather) []phase {
	type packTask struct {
		g      *kernel.Gather
		p0, p1 int
		packed []float32
	}
	var packs []packTask
	var tasks []gatherTask
	mr, nr := kernel.Tile()
	scratch := 0
	for _, g := range list {
		m, n, depth := g.A.Windows(), int(g.B.N), g.A.Depth()
		panels := (n + nr - 1) / nr
		parts := min(max(1, m*n/worthTask*depth+m*n%worthTask*depth/worthTask), 4*wanted)
		rows, cols := every(m, m), every(n, n)
		switch {
		case parts == 1 && n <= colsPerTask:
		case panels*nr*depth <= packLimit && m >= 32*mr:
			rows = every(m, roundUp(max((m+parts-1)/parts, 8*mr), mr))
		case m >= 128*mr:
			rows = every(m, 64*mr)
			cols = every(n, colsPerTask)
		default:
			cols = every(n, min(colsPerTask, roundUp((n+parts-1)/parts, nr)))
		}
		if rows.count > 1 && cols.count == 1 {
			packed := b.scratch(panels * nr * depth)
			g.Packed = ptr(packed)
			share := split(panels, wanted, max(1, 4*grain/(nr*depth)))
			for i := range share.count {
				p0, p1 := share.at(i)
				packs = append(packs, packTask{g, p0, p1, packed})
			}
		}
		for i := range rows.count {
			for j := range cols.count {
				t := gatherTask{g: g}
				t.i0, t.i1 = rows.at(i)
				t.j0, t.j1 = cols.at(j)
				tasks = append(tasks, t)
			}
		}
		// A small factor that one task packs for itself, or a column block of a large one.
		scratch = max(scratch, g.Scratch(min(cols.size, n)))
	}
	buf := b.perWorker(scratch)
	var phases []phase
	if len(packs) > 0 {
		phases = append(phases, phase{len(packs), func(task, _ int) {
			t := &packs[task]
			kernel.Pack(&t.g.B, t.p0, t.p1, t.packed)
		}})
	}
	return append(phases, phase{len(tasks), func(task, worker int) {
		t := &tasks[task]
		t.g.Run(t.i0, t.i1, t.j0, t.j1, buf[worker])
	}})
}

// colsPerTask is the largest number of columns that a task packs for itself.
const colsPerTask = 512

func roundUp(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }

// plain makes y, whose rows are as long as the right factor has columns, the result of g.
func plain(g *kernel.Gather, y []float32) {
	g.Y = ptr(y)
	g.OutH, g.OutW, g.OutStride = g.A.P, g.A.Q, g.B.N
	g.OutStepH, g.OutStepW = 1, 1
}

// fused is an epilogue for columns from col on.
func (e epilogue) fused(col int) kernel.Epilogue {
	return kernel.Epilogue{Bias: at(e.bias, col), Residual: at(e.residual, col), Act: int64(e.act)}
}

// windowImage returns the image and the windows of a pooling layer or a depthwise convolution. x may be nil.
func windowImage(v device.Window, x []float32) *kernel.Image {
	m := image(device.Conv{Window: v, Groups: 1}, x, 0)
	return &m
}

// image returns the image and the windows of group g of a convolution. x may be nil.
func image(v device.Conv, x []float32, g int) kernel.Image {
	cg := v.C / v.Groups
	return kernel.Image{X: at(x, g*cg), H: int64(v.H), W: int64(v.W), Stride: int64(v.C), N: int64(v.N), P: int64(v.P), Q: int64(v.Q),
		StepH: int64(v.StrideH), StepW: int64(v.StrideW), FirstH: int64(-v.PadTop), FirstW: int64(-v.PadLeft),
		DilH: int64(v.DilH), DilW: int64(v.DilW), Rows: int64(v.R), Cols: int64(v.S), Chan: int64(cg)}
}

// gatherForward returns the products of a convolution, one for each group.
func gatherForward(v device.Conv, x, w, y []float32, e epilogue) []*kernel.Gather {
	cg, kg, depth := v.C/v.Groups, v.K/v.Groups, v.R*v.S*(v.C/v.Groups)
	var list []*kernel.Gather
	for i := range v.Groups {
		list = append(list, &kernel.Gather{
			A: image(v, x, i),
			B: kernel.Factor{W: at(w, i*kg*depth), Rows: int64(v.R), Cols: int64(v.S), Chan: int64(cg),
				StepT: int64(v.S * cg), StepU: int64(cg), StepJ: 1, StepCol: int64(depth), N: int64(kg)},
			Y: at(y, i*kg), OutH: int64(v.P), OutW: int64(v.Q), OutStride: int64(v.K), OutStepH: 1, OutStepW: 1,
			Epilogue: e.fused(i * kg),
		})
	}
	return list
}
