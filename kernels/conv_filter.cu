// Convolution, gradient of the filters, in exact float32.

#include "conv.cuh"
#include "product.cuh"

#define DEFINE(name, m_tile, n_tile, rm, rn, blocks)                                                                             \
	EXPORT_KERNEL(conv_filter_##name##_f32, (Tile<m_tile, n_tile, rm, rn>::threads), blocks, (CONV_FILTER_PARAMETERS(float))) {    \
		conv_filter<Tile<m_tile, n_tile, rm, rn>>(CONV_FILTER_ARGUMENTS);                                                          \
	}

FOR_EACH_TILE(DEFINE)
