// Convolution forward: Y[pixel, k] = epilogue(sum over taps of X[pixel's window, tap]·W[k, tap]), in exact float32. The rows of the product are the output's
// pixels, its columns the filters, its depth the taps (r, s, c) of one group.

#include "conv.cuh"

// The grid is (tiles, groups, parts). A group has `channels` of the pitch channels of X, and n of the k filters. W is (k, depth).
#define DEFINE(name, m_tile, n_tile, rm, rn, blocks)                                                                                            \
	EXPORT_KERNEL(conv_forward_##name##_f32, (Tile<m_tile, n_tile, rm, rn>::threads), blocks,                                                     \
				  (float *y, const float *__restrict__ x, const float *__restrict__ weight, float *partial, const float *bias,                    \
				   const float *residual, int n, int k, int depth_per_part, int act, int flags, IMAGE_PARAMETERS)) {                              \
		typedef Tile<m_tile, n_tile, rm, rn> T;                                                                                                 \
		const int group = blockIdx.y;                                                                                                           \
		const Windows windows = {x + group * channels, IMAGE_PIXELS, IMAGE_TAPS, height, width, (flags & vector_a) != 0};                       \
		const int m = windows.pixels.count, depth = windows.taps.count;                                                                         \
		const Matrix<true> filters = {weight + static_cast<index_t>(group) * n * depth, depth, n, depth, (flags & vector_b) != 0};              \
		Result<Dense> result = {{k}, y + group * n, bias ? bias + group * n : nullptr, residual ? residual + group * n : nullptr, m, n, act, flags}; \
		result.keep_part(partial);                                                                                                              \
		const Place p = place<T>(n, depth, depth_per_part);                                                                                     \
		product<T>(windows, filters, result, p.m0, p.n0, p.first, p.last);                                                                      \
	}

FOR_EACH_TILE(DEFINE)
