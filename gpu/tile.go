//go:build cuda && cgo && linux

package gpu

import "math"

// A tile is the part of a product that one block computes: FOR_EACH_TILE of product.cuh.
type tile struct {
	name     string
	m, n     int
	rm, rn   int // of one thread
	resident int // blocks that a multiprocessor holds at least: the kernels' launch bound
}

var tiles = []tile{
	{"128x128", 128, 128, 8, 8, 2},
	{"128x64", 128, 64, 8, 8, 4},
	{"128x32", 128, 32, 8, 4, 4},
	{"64x64", 64, 64, 8, 4, 4},
	{"32x32", 32, 32, 4, 4, 8},
}

func (t tile) threads() int { return t.m / t.rm * (t.n / t.rn) }

// stageDepth is the depth that a block multiplies at once: stage_depth of product.cuh.
const stageDepth = 16

// A product is the geometry of D[M, N] = A[M, K]·B[N, K], once for each group.
type product struct {
	m, n, depth, groups int
}

// A plan says how a product is computed: with which tile, and in how many parts its depth is cut (split-K). The parts but the last have
// perPart depths each.
type plan struct {
	tile
	parts, perPart int
}

// blocks returns the tiles that D consists of.
func (p product) blocks(t tile) int64 {
	return ceilDiv(int64(p.m), int64(t.m)) * ceilDiv(int64(p.n), int64(t.n))
}

// plan chooses the fastest plan by the cost model, for a GPU of so many multiprocessors.
func (p product) plan(multiprocessors int) plan {
	best, least := plan{}, math.Inf(1)
	for _, t := range tiles {
		for _, parts := range []int{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128} {
			q, ok := p.cut(t, parts)
			if !ok {
				break
			}
			if c := p.cycles(q, multiprocessors); c < least {
				best, least = q, c
			}
		}
	}
	return best
}

// minStages is the least number of stages in a part: below, the first load is most of a block's time.
const minStages = 8

// cut cuts the depth into about that many parts. It reports false if they became too small.
func (p product) cut(t tile, parts int) (plan, bool) {
	stages := ceilDiv(int64(p.depth), stageDepth)
	each := ceilDiv(stages, int64(parts))
	if parts > 1 && each < minStages {
		return plan{}, false
	}
	return plan{t, int(max(1, ceilDiv(stages, max(1, each)))), int(max(1, each)) * stageDepth}, true
}

// cycles estimates the time of a plan in cycles of a multiprocessor, which starts 128 multiply-adds and loads 32 words from shared memory in each.
//
//	For every depth a warp starts rm·rn multiply-adds, one a cycle in its quarter of the multiprocessor, and loads (rm+rn)/4 words of 16 bytes a thread, two
//	cycles each of what all four quarters share: loads take 2(rm+rn)/(rm·rn) of the arithmetic's time. What exceeds a half is felt, and a tenth
//	goes to everything else.
//	A stage is (m+n)·16 words from the L2 cache, at 32 bytes a cycle, behind the arithmetic; a fifth of that is felt.
//	Arithmetic waits 4 cycles for its operands: below 16 warps a multiprocessor is not busy all the time.
//	A block begins and ends with about 1000 cycles of memory latency, which other blocks of the multiprocessor hide.
//	Parts are written and read once more, at 16 bytes a cycle and multiprocessor, and cost one more launch, 4000 cycles.
func (p product) cycles(q plan, multiprocessors int) float64 {
	const rate, latency, relaunch, traffic = 128, 1000, 4000, 16
	sms := int64(max(1, multiprocessors))
	blocks := p.blocks(q.tile) * int64(p.groups) * int64(q.parts)
	each := ceilDiv(blocks, sms) // blocks for the busiest multiprocessor
	together := min(each, int64(q.resident))
	fromShared := 2 * float64(q.rm+q.rn) / float64(q.rm*q.rn)
	fromL2 := 16 * float64(q.m+q.n) / float64(q.m*q.n)
	efficiency := 1 / (1.1 + max(0, fromShared-0.5) + fromL2/5)
	busy := min(1, float64(together)*float64(q.threads())/512)
	stages := ceilDiv(int64(min(q.perPart, p.depth)), stageDepth)
	work := float64(each) * float64(stages) * float64(q.m*q.n*stageDepth) / (rate * efficiency * busy)
	c := work + latency*float64(each)/float64(together)
	if q.parts > 1 {
		size := float64(p.m) * float64(p.n) * float64(p.groups)
		c += relaunch + 4*size*float64(2*q.parts+1)/(traffic*float64(sms))
	}
	return c
}
