// What gemm_tf32.cu and gemm_bf16.cu have in common: products of matrices on tensor cores in a precision, whose operands in memory are of a type.

#pragma once

#include "gemm.cuh"
#include "tensor_product.cuh"

#define GEMM_KERNEL(name, m_tile, n_tile, wm, wn, blocks, precision, type, letters, trans_a, trans_b)                          \
	EXPORT_KERNEL(gemm_##letters##_##name##_##precision, (TensorTile<m_tile, n_tile, wm, wn>::threads), blocks,                  \
				  (GEMM_PARAMETERS(type), int stages)) {                                                                       \
		gemm<TensorTile<m_tile, n_tile, wm, wn>, trans_a, trans_b>(GEMM_ARGUMENTS, stages);                                      \
	}

// No network multiplies two transposed matrices: one tile will do.
#define GEMM_KERNELS(precision, type)                                           \
	FOR_EACH_TENSOR_TILE(GEMM_KERNEL, precision, type, nn, false, false)         \
	FOR_EACH_TENSOR_TILE(GEMM_KERNEL, precision, type, nt, false, true)          \
	FOR_EACH_TENSOR_TILE(GEMM_KERNEL, precision, type, tn, true, false)          \
	GEMM_KERNEL(64x64, 64, 64, 32, 32, 5, precision, type, tt, true, true)
