// Package kernel holds the arithmetic of the CPU device: kernels in C with vector instructions, compiled for AVX-512, AVX2 and what every
// processor has (NEON on arm64), of which the best that this processor can run is chosen at start-up.
//
// Without cgo the package compiles to nothing: Available is false, and no other function may be called.
//
// The structs mirror those of kernel.h, which documents them. Their pointers must point to memory of Alloc, because C may not be handed
// Go memory that points to Go memory. All sizes and strides count elements.
package kernel

// The m of minimal filtering of 3x3 filters at stride 1 is the side of a tile of outputs, 4 or 2.
const (
	Strided = 8  // 3x3 filters at stride 2
	Four    = 16 // 4x4 filters at stride 1, with tiles of 4x4 outputs
)

// Image is a batch of images and the grid of windows over it.
type Image struct {
	X                *float32
	H, W, Stride     int64
	N, P, Q          int64
	StepH, StepW     int64
	FirstH, FirstW   int64
	DilH, DilW       int64
	Rows, Cols, Chan int64
}

// Windows returns the number of windows.
func (m *Image) Windows() int { return int(m.N * m.P * m.Q) }

// Depth returns the number of elements of a window.
func (m *Image) Depth() int { return int(m.Rows * m.Cols * m.Chan) }

// Matrix returns the image whose windows are the rows of a (rows, cols) matrix.
func Matrix(x *float32, rows, cols, stride int) Image {
	return Image{X: x, H: 1, W: int64(rows), Stride: int64(stride), N: 1, P: 1, Q: int64(rows), StepH: 1, StepW: 1, DilH: 1, DilW: 1,
		Rows: 1, Cols: 1, Chan: int64(cols)}
}

// Factor is the right factor of a product as it lies in memory.
type Factor struct {
	W                            *float32
	Rows, Cols, Chan             int64
	StepT, StepU, StepJ, StepCol int64
	N                            int64
}

// Epilogue finishes each element of a product. Act is a device.Act.
type Epilogue struct {
	Bias, Residual *float32
	Act            int64
}

// Gather is a product whose left factor has one row for each window of an image.
type Gather struct {
	A                                        Image
	B                                        Factor
	Packed                                   *float32
	Y                                        *float32
	OutH, OutW, OutStride                    int64
	OutStepH, OutStepW, OutFirstH, OutFirstW int64
	Accumulate                               int64
	Epilogue                                 Epilogue
}

// Outer is a product that sums over the windows of an image.
type Outer struct {
	A      *float32
	Lda, M int64
	B      Image
	Bt     *float32
	Ldbt   int64
	N      int64
}

// A Block is a part of an outer product: rows [M0, M1) and columns [J0, J1), summed over windows [K0, K1). J0 must be a multiple of the
// tile's columns.
type Block struct{ M0, M1, J0, J1, K0, K1 int }

// Taps are the input positions along one axis that an output of average pooling reads, all inside the image, and how many its mean counts.
type Taps struct{ First, Step, Count, Divisor int64 }

// A Mask is what the random words of a dropout mask depend on; see device.Dropout.
type Mask struct {
	Key                    [2]uint32
	Step, Layer, Threshold uint32
}

// A Rate is what the optimisers share: the factor of the gradient, the learning rate, the weight decay and the momentum.
type Rate struct{ Clip, LR, Decay, Momentum float32 }
