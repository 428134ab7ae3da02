// The three passes of convolution on tensor cores in tf32: float32 operands rounded to 10 bits of fraction.

#include "conv_tensor.cuh"

CONV_KERNELS(tf32, float)
