// Matrix products on tensor cores in bf16.

#include "gemm.cuh"
#include "tensor_product.cuh"

#define DEFINE(letters, name, trans_a, trans_b, m_tile, n_tile, wm, wn, blocks)                                                \
	EXPORT_KERNEL(gemm_##letters##_##name##_bf16, (TensorTile<m_tile, n_tile, wm, wn>::threads), blocks,                         \
				  (GEMM_PARAMETERS(bf16), int stages)) {                                                                        \
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

EXPORT_KERNEL(add_partials_bf16, 256, 4, (ADD_PARTIALS_PARAMETERS(bf16))) { add_all_partials(ADD_PARTIALS_ARGUMENTS); }
