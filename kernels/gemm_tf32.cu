// Matrix products on tensor cores in tf32: float32 operands rounded to 10 bits of fraction.

#include "gemm_tensor.cuh"

GEMM_KERNELS(tf32, float)
