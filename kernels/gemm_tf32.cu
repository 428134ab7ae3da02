// Matrix products on tensor cores in tf32: float32 operands rounded to 10 bits of fraction.

#include "gemm.cuh"
#include "tensor_product.cuh"

#define DEFINE(letters, name, trans_a, trans_b, m_tile, n_tile, wm, wn, blocks)                                                \
	EXPORT_KERNEL(gemm_##letters##_##name##_tf32, (TensorTile<m_tile, n_tile, wm, wn>::threads), blocks,                         \
				  (GEMM_PARAMETERS(float), int stages)) {                                                                        \
		gemm<TensorTile<m_tile, n_tile, wm, wn>, trans_a, trans_b>(GEMM_ARGUMENTS, stages);                                      \
	}

#define DEFINE_NN(name, m_tile, n_tile, wm, wn, blocks) DEFINE(nn, name, false, false, m_tile, n_tile, wm, wn, blocks)
#define DEFINE_NT(name, m_tile, n_tile, wm, wn, blocks) DEFINE(nt, name, false, true, m_tile, n_tile, wm, wn, blocks)
#define DEFINE_TN(name, m_tile, n_tile, wm, wn, blocks) DEFINE(tn, name, true, false, m_tile, n_tile, wm, wn, blocks)
#define DEFINE_TT(name, m_tile, n_tile, wm, wn, blocks) DEFINE(tt, name, true, true, m_tile, n_tile, wm, wn, blocks)

FOR_EACH_TENSOR_TILE(DEFINE_NN)
FOR_EACH_TENSOR_TILE(DEFINE_NT)
FOR_EACH_TENSOR_TILE(DEFINE_TN)
DEFINE_TT(64x64, 64, 64, 32, 32, 5) // no network multiplies such matrices: one tile will do
