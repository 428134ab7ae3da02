// Matrix products on tensor cores in bf16.

#include "gemm_tensor.cuh"

GEMM_KERNELS(bf16, bf16)

EXPORT_KERNEL(add_partials_bf16, 256, 4, (ADD_PARTIALS_PARAMETERS(bf16))) { add_all_partials(ADD_PARTIALS_ARGUMENTS); }
