//go:build cuda && cgo && linux

package gpu

import (
	"math"

	"github.com/cnnctl/cnnctl/device"
)

// A tile is the part of a product that one block computes: FOR_EACH_TILE of product.cuh, FOR_EACH_TENSOR_TILE of tensor_product.cuh.
type tile struct {
	name     string
	m, n     int
	pm, pn   int // the part of one thread, on tensor cores of one warp
	resident int // blocks whose registers fit into a multiprocessor at least: the kernels' launch bound
}

var floatTiles = []tile{
	{"128x128", 128, 128, 8, 8, 2},
	{"128x64", 128, 64, 8, 8, 4},
	{"128x32", 128, 32, 8, 4, 4},
	{"64x64", 64, 64, 8, 4, 4},
	{"32x32", 32, 32, 4, 4, 8},
}

var tensorTiles = []tile{
	{"128x128", 128, 128, 64, 32, 2},
	{"128x64", 128, 64, 64, 32, 3},
	{"128x32", 128, 32, 32, 32, 5},
	{"64x64", 64, 64, 32, 32, 5},
}

// A product is the geometry of D[M, N] = A[M, K]·B[N, K], once for each group.
type product struct {
	m, n, depth, groups int
	precision           device.Precision
	only                string // the tile to use, where there are no kernels with others
}

// A plan says how a product is computed: with which tile, and in how many parts its depth is cut (split-K). The parts but the last have
// perPart depths each.
type plan struct {
	tile
	parts, perPart int
	stages         int // of the ring in shared memory, on tensor cores
}

func (p product) tiles() []tile {
	if p.precision == device.FP32 {
		return floatTiles
	}
	return tensorTiles
}

// stageDepth is the depth that a block multiplies at once: stage_depth of product.cuh; stage_bytes of tensor_product.cuh, as elements.
func (p product) stageDepth() int {
	switch p.precision {
	case device.TF32:
		return stageBytes / 4
	case device.BF16:
		return stageBytes / 2
	}
	return 16
}

// blocks returns the tiles that D consists of.
func (p product) blocks(t tile) int64 {
	return ceilDiv(int64(p.m), int64(t.m)) * ceilDiv(int64(p.n), int64(t.n))
}

// plan chooses the fastest plan for a GPU by the cost model.
func (p product) plan(gpu Info) plan {
	best, least := plan{}, math.Inf(1)
	for _, t := range p.tiles() {
		if p.only != "" && t.name != p.only {
			continue
		}
		for _, parts := range []int{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256} {
			q, ok := p.cut(t, parts, gpu)
			if !ok {
				break
			}
			if c := p.cycles(q, gpu); c < least {
				best, least = q, c
			}
		}
	}
	return best
}

// minStages is the least number of stages in a part: below, the first load is most of a block's time.
const minStages = 8

// cut cuts the depth into about that many parts. It reports false if they became too small.
func (p product) cut(t tile, parts int, gpu Info) (plan, bool) {
	stages := ceilDiv(int64(p.depth), int64(p.stageDepth()))
	each := ceilDiv(stages, int64(parts))
	if parts > 1 && each < minStages {
		return plan{}, false
	}
	q := plan{tile: t, parts: int(max(1, ceilDiv(stages, max(1, each)))), perPart: int(max(1, each)) * p.stageDepth()}
	if p.precision != device.FP32 {
		q.stages = t.ring(gpu)
	}
	return q, true
}

// cycles estimates the time of a plan in cycles of a multiprocessor.
//
//	The busiest multiprocessor computes its blocks one after another, as far as the time of their stages goes.
//	A block begins and ends with about 1000 cycles of memory latency, which other blocks of the multiprocessor hide.
//	Parts are written and read once more, at 16 bytes a cycle and multiprocessor, and cost one more launch, 4000 cycles.
func (p product) cycles(q plan, gpu Info) float64 {
	const latency, relaunch, traffic = 1000, 4000, 16
	sms := int64(max(1, gpu.Multiprocessors))
	blocks := p.blocks(q.tile) * int64(p.groups) * int64(q.parts)
	each := ceilDiv(blocks, sms)
	stages := ceilDiv(int64(min(q.perPart, p.depth)), int64(p.stageDepth()))
	var together int64
	var stage float64
	if p.precision == device.FP32 {
		together = min(each, int64(q.resident))
		stage = q.floatStage(together, p.stageDepth())
	} else {
		together = min(each, q.residentTensor(gpu))
		stage = q.tensorStage(together, p.precision, gpu)
	}
	c := float64(each)*float64(stages)*stage + latency*float64(each)/float64(together)
	if q.parts > 1 {
		size := float64(p.m) * float64(p.n) * float64(p.groups)
		c += relaunch + 4*size*float64(2*q.parts+1)/(traffic*float64(sms))
	}
	return c
}

// floatStage estimates the cycles that a stage of float32 takes in a multiprocessor with so many blocks, which starts 128 multiply-adds and loads 32
// words from shared memory in each cycle.
//
//	For every depth a warp starts pm·pn multiply-adds, one a cycle in its quarter of the multiprocessor, and loads (pm+pn)/4 words of 16 bytes a thread, two
//	cycles each of what all four quarters share: loads take 2(pm+pn)/(pm·pn) of the arithmetic's time. What exceeds a half is felt, and a tenth
//	goes to everything else.
//	A stage is (m+n)·16 words from the L2 cache, at 32 bytes a cycle, behind the arithmetic; a fifth of that is felt.
//	Arithmetic waits 4 cycles for its operands: below 16 warps a multiprocessor is not busy all the time.
func (t tile) floatStage(together int64, depth int) float64 {
	const rate = 128
	fromShared := 2 * float64(t.pm+t.pn) / float64(t.pm*t.pn)
	fromL2 := 16 * float64(t.m+t.n) / float64(t.m*t.n)
	efficiency := 1 / (1.1 + max(0, fromShared-0.5) + fromL2/5)
	threads := t.m / t.pm * (t.n / t.pn)
	busy := min(1, float64(together)*float64(threads)/512)
	return float64(t.m*t.n*depth) / (rate * efficiency * busy)
}
