// The three passes of convolution on tensor cores in bf16.

#include "conv_data.cuh"
#include "tensor_product.cuh"

#define DEFINE(name, m_tile, n_tile, wm, wn, blocks)                                                                             \
	EXPORT_KERNEL(conv_forward_##name##_bf16, (TensorTile<m_tile, n_tile, wm, wn>::threads), blocks,                               \
				  (CONV_FORWARD_PARAMETERS(bf16), int stages)) {                                                                  \
		conv_forward<TensorTile<m_tile, n_tile, wm, wn>>(CONV_FORWARD_ARGUMENTS, stages);                                          \
	}                                                                                                                            \
	EXPORT_KERNEL(conv_data_##name##_bf16, (TensorTile<m_tile, n_tile, wm, wn>::threads), blocks,                                  \
				  (CONV_DATA_PARAMETERS(bf16), int stages)) {                                                                     \
		conv_data<TensorTile<m_tile, n_tile, wm, wn>>(CONV_DATA_ARGUMENTS, stages);                                                \
	}                                                                                                                            \
	EXPORT_KERNEL(conv_filter_##name##_bf16, (TensorTile<m_tile, n_tile, wm, wn>::threads), blocks,                                \
				  (CONV_FILTER_PARAMETERS(bf16), int stages)) {                                                                   \
		conv_filter<TensorTile<m_tile, n_tile, wm, wn>>(CONV_FILTER_ARGUMENTS, stages);                                            \
	}

FOR_EACH_TENSOR_TILE(DEFINE)

EXPORT_KERNEL(conv_data_add_partials_bf16, 256, 4, (CONV_DATA_ADD_PARAMETERS(bf16))) { conv_data_add(CONV_DATA_ADD_ARGUMENTS); }
