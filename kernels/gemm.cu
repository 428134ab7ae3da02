// Matrix products in exact float32.

#include "gemm.cuh"
#include "product.cuh"

#define DEFINE(letters, name, trans_a, trans_b, m_tile, n_tile, rm, rn, blocks)                                                     \
	EXPORT_KERNEL(gemm_##letters##_##name##_f32, (Tile<m_tile, n_tile, rm, rn>::threads), blocks, (GEMM_PARAMETERS(float))) {         \
		gemm<Tile<m_tile, n_tile, rm, rn>, trans_a, trans_b>(GEMM_ARGUMENTS);                                                         \
	}

#define DEFINE_NN(name, m_tile, n_tile, rm, rn, blocks) DEFINE(nn, name, false, false, m_tile, n_tile, rm, rn, blocks)
#define DEFINE_NT(name, m_tile, n_tile, rm, rn, blocks) DEFINE(nt, name, false, true, m_tile, n_tile, rm, rn, blocks)
#define DEFINE_TN(name, m_tile, n_tile, rm, rn, blocks) DEFINE(tn, name, true, false, m_tile, n_tile, rm, rn, blocks)
#define DEFINE_TT(name, m_tile, n_tile, rm, rn, blocks) DEFINE(tt, name, true, true, m_tile, n_tile, rm, rn, blocks)

FOR_EACH_TILE(DEFINE_NN)
FOR_EACH_TILE(DEFINE_NT)
FOR_EACH_TILE(DEFINE_TN)
FOR_EACH_TILE(DEFINE_TT)

EXPORT_KERNEL(add_partials_f32, 256, 4, (ADD_PARTIALS_PARAMETERS(float))) { add_all_partials(ADD_PARTIALS_ARGUMENTS); }
