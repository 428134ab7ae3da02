// The operands of matrix products and convolutions D[M, N] = A[M, K]·B[N, K]^T, K being the depth of the sum.
//
// A convolution is such a product if its operands are read through the right eyes ("implicit GEMM", Chetlur et al., cuDNN, arXiv:1410.0759): nothing
// is unrolled in memory. What an operand must tell is where the element of a row and a depth lies, and it tells so as a sum of two coordinates, one of the
// row and one of the depth. Those of the rows are computed once and kept in shared memory.
//
// An operand is a struct with
//
//	typedef Element                    float or bf16
//	static constexpr bool along_depth  neighbours in memory are neighbours along the depth, else along the rows
//	int word                           neighbours come in aligned words of 16 or 8 bytes, from multiples of these on, that are inside or outside
//	                                   together; 0 if nothing is known. An operand of floats has no words of 8 bytes
//	Coordinate row(int), depth(int)    for every number from 0 up; they are outside beyond the operand's size
//	bool inside(Coordinate row, Coordinate depth)
//	const Element *base
//
// There are two main loops that take them: product.cuh in exact float32, tensor_product.cuh on tensor cores.
#pragma once

#include "cuda.cuh"

// A Coordinate is half of the way to an element: both offsets add up to its place, and both h and both w to its place in the image, which may
// lie in the padding. Matrices have no image and use h alone, which is zero or `outside`.
struct __align__(16) Coordinate {
	index_t offset; // elements
	int h, w;
};

// outside is far above every image: package gpu sees to it that coordinates stay below 2^29.
constexpr int outside = -(1 << 30);

// UNROLL unrolls the loop behind it. The sums and the fragments are then registers, and on the host single variables, whose accesses need no check.
#ifdef CNNCTL_EMU
#define UNROLL _Pragma("GCC unroll 16")
#else
#define UNROLL _Pragma("unroll")
#endif

// The tile of this block and its part of the depth. The grid is (tiles, groups, parts); blocks that follow each other share the rows of A.
struct Place {
	int m0, n0, first, last;
};

template <class T> DEVICE Place place(int n, int depth, int depth_per_part) {
	const int across = (n + T::n - 1) / T::n, first = blockIdx.z * depth_per_part;
	return {static_cast<int>(blockIdx.x / across) * T::m, static_cast<int>(blockIdx.x % across) * T::n, first,
			min(first + depth_per_part, depth)};
}
