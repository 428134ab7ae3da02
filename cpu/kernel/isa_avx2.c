// The kernels for x86-64 processors with AVX2 and FMA.
#if defined(__x86_64__)
#define TARGET "avx2,fma"
#include "target.h"
#define ISA_AVX2
#define KERNELS cnn_avx2
#define NAME "AVX2"
#include "kernels.h"
#include "target_end.h"
#endif
