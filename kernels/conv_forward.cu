// Convolution forward in exact float32.

#include "conv.cuh"
#include "product.cuh"

#define DEFINE(name, m_tile, n_tile, rm, rn, blocks)                                                                             \
	EXPORT_KERNEL(conv_forward_##name##_f32, (Tile<m_tile, n_tile, rm, rn>::threads), blocks, (CONV_FORWARD_PARAMETERS(float))) {  \
		conv_forward<Tile<m_tile, n_tile, rm, rn>>(CONV_FORWARD_ARGUMENTS);                                                        \
	}

FOR_EACH_TILE(DEFINE)
