// The kernels for every processor: vectors of 16 bytes, which the compiler turns into NEON on arm64 and SSE2 on x86-64.
#define KERNELS cnn_base
#if defined(__aarch64__)
#define NAME "NEON"
#elif defined(__SSE2__)
#define NAME "SSE2"
#else
#define NAME "portable"
#endif
#include "kernels.h"
