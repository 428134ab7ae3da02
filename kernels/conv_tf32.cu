// The three passes of convolution on tensor cores in tf32: float32 operands rounded to 10 bits of fraction.

#include "conv_data.cuh"
#include "tensor_product.cuh"

#define DEFINE(name, m_tile, n_tile, wm, wn, blocks)                                                                             \
	EXPORT_KERNEL(conv_forward_##name##_tf32, (TensorTile<m_tile, n_tile, wm, wn>::threads), blocks,                               \
				  (CONV_FORWARD_PARAMETERS(float), int stages)) {                                                                  \
		conv_forward<TensorTile<m_tile, n_tile, wm, wn>>(CONV_FORWARD_ARGUMENTS, stages);                                          \
	}                                                                                                                            \
	EXPORT_KERNEL(conv_data_##name##_tf32, (TensorTile<m_tile, n_tile, wm, wn>::threads), blocks,                                  \
				  (CONV_DATA_PARAMETERS(float), int stages)) {                                                                     \
		conv_data<TensorTile<m_tile, n_tile, wm, wn>>(CONV_DATA_ARGUMENTS, stages);                                                \
	}                                                                                                                            \
	EXPORT_KERNEL(conv_filter_##name##_tf32, (TensorTile<m_tile, n_tile, wm, wn>::threads), blocks,                                \
				  (CONV_FILTER_PARAMETERS(float), int stages)) {                                                                   \
		conv_filter<TensorTile<m_tile, n_tile, wm, wn>>(CONV_FILTER_ARGUMENTS, stages);                                            \
	}

FOR_EACH_TENSOR_TILE(DEFINE)
