//go:build cuda && cgo && linux

package gpu

import "github.com/cnnctl/cnnctl/device"

// The shared memory of tensor_product.cuh: a ring of stages, 64 bytes of every row of both operands each, and the rows' coordinates.
const (
	stageBytes      = 64
	coordinateBytes = 16
)

// shared returns the bytes of dynamic shared memory of a block with so many stages.
func (t tile) shared(stages int) int { return (t.m + t.n) * (coordinateBytes + stages*stageBytes) }

// dynamicShared returns the bytes of dynamic shared memory that a block of the plan needs. The kernels in float32 declare theirs.
func (q plan) dynamicShared() int {
	if q.stages == 0 {
		return 0
	}
	return q.shared(q.stages)
}

// fitting returns how many blocks a multiprocessor holds. CUDA takes 1 KiB of its shared memory for each (NVIDIA Ampere GPU Architecture Tuning
// Guide, section 1.4.3.3).
func (t tile) fitting(stages int, gpu Info) int64 {
	return min(int64(t.resident), int64(gpu.SharedMemory/(t.shared(stages)+1<<10)))
}

// ring returns the number of stages: 4, which hides more of the memory's latency, unless 3 make room for another block.
func (t tile) ring(gpu Info) int {
	if t.fitting(4, gpu) < t.fitting(3, gpu) {
		return 3
	}
	return 4
}

// residentTensor returns the blocks that a multiprocessor holds.
func (q plan) residentTensor(gpu Info) int64 { return max(1, q.fitting(q.stages, gpu)) }

// tensorStage estimates the cycles that a stage takes on tensor cores in a multiprocessor with so many blocks.
//
//	The multiply-adds are m·n·depth, at the tensor cores' rate (Info.multiplyAdds).
//	Shared memory moves 128 bytes a cycle: each warp reads its rows of both operands, and the stage is written once.
//	The L2 cache delivers the stage. Of 5120 bytes a cycle of an A100 (NVIDIA A100 whitepaper, 2020) a multiprocessor's share is 47.
//	The slowest of the three is the stage's time, as the others run beside it; a fifth of these is felt.
//	Copies, matrix loads and products wait for each other: below 8 warps a multiprocessor is not busy all the time.
func (q plan) tensorStage(together int64, precision device.Precision, gpu Info) float64 {
	const fromShared, fromL2 = 128, 47
	warps := q.m / q.pm * (q.n / q.pn)
	stage := float64((q.m + q.n) * stageBytes)
	depth := stageBytes / int(precision.Type().Size())
	arithmetic := float64(q.m*q.n*depth) / gpu.multiplyAdds(precision)
	shared := (float64(warps*(q.pm+q.pn)*stageBytes) + stage) / fromShared
	l2 := stage / fromL2
	slowest := max(arithmetic, shared, l2)
	busy := min(1, float64(together)*float64(warps)/8)
	return (slowest + (arithmetic+shared+l2-slowest)/5) / busy
}
