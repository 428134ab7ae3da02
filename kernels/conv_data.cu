// Convolution, gradient of the image, in exact float32.

#include "conv_data.cuh"
#include "product.cuh"

#define DEFINE(name, m_tile, n_tile, rm, rn, blocks)                                                                             \
	EXPORT_KERNEL(conv_data_##name##_f32, (Tile<m_tile, n_tile, rm, rn>::threads), blocks, (CONV_DATA_PARAMETERS(float))) {        \
		conv_data<Tile<m_tile, n_tile, rm, rn>>(CONV_DATA_ARGUMENTS);                                                              \
	}

FOR_EACH_TILE(DEFINE)

EXPORT_KERNEL(conv_data_add_partials_f32, 256, 4, (CONV_DATA_ADD_PARAMETERS(float))) { conv_data_add(CONV_DATA_ADD_ARGUMENTS); }
