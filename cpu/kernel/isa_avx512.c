// The kernels for x86-64 processors with AVX-512.
#if defined(__x86_64__)
#define TARGET "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"
#include "target.h"
#define ISA_AVX512
#define KERNELS cnn_avx512
#define NAME "AVX-512"
#include "kernels.h"
#include "target_end.h"
#endif
