// What conv_tf32.cu and conv_bf16.cu have in common: the three passes of convolution on tensor cores in a precision, whose operands in memory are of a type.

#pragma once

#include "conv_data.cuh"
#include "tensor_product.cuh"

#define CONV_KERNELS_OF_TILE(name, m_tile, n_tile, wm, wn, blocks, precision, type)                                              \
	EXPORT_KERNEL(conv_forward_##name##_##precision, (TensorTile<m_tile, n_tile, wm, wn>::threads), blocks,                        \
				  (CONV_FORWARD_PARAMETERS(type), int stages)) {                                                                 \
		conv_forward<TensorTile<m_tile, n_tile, wm, wn>>(CONV_FORWARD_ARGUMENTS, stages);                                          \
	}                                                                                                                            \
	EXPORT_KERNEL(conv_data_##name##_##precision, (TensorTile<m_tile, n_tile, wm, wn>::threads), blocks,                           \
				  (CONV_DATA_PARAMETERS(type), int stages)) {                                                                    \
		conv_data<TensorTile<m_tile, n_tile, wm, wn>>(CONV_DATA_ARGUMENTS, stages);                                                \
	}                                                                                                                            \
	EXPORT_KERNEL(conv_filter_##name##_##precision, (TensorTile<m_tile, n_tile, wm, wn>::threads), blocks,                         \
				  (CONV_FILTER_PARAMETERS(type), int stages)) {                                                                  \
		conv_filter<TensorTile<m_tile, n_tile, wm, wn>>(CONV_FILTER_ARGUMENTS, stages);                                            \
	}

#define CONV_KERNELS(precision, type) FOR_EACH_TENSOR_TILE(CONV_KERNELS_OF_TILE, precision, type)
