// The three passes of convolution on tensor cores in bf16.

#include "conv_tensor.cuh"

CONV_KERNELS(bf16, bf16)

EXPORT_KERNEL(conv_data_add_partials_bf16, 256, 4, (CONV_DATA_ADD_PARAMETERS(bf16))) { conv_data_add(CONV_DATA_ADD_ARGUMENTS); }
