// Convolution, gradient of the filters: DW[k, tap] (+)= sum over pixels of DY[pixel, k]·X[pixel's window, tap], in exact float32. The rows of the product
// are the filters, its columns the taps (r, s, c) of one group, its depth the output's pixels.

#include "conv.cuh"

// The grid is (tiles, groups, parts). A group has `channels` of the pitch channels of X, and m of the k filters. DW is (k, taps).
#define DEFINE(name, m_tile, n_tile, rm, rn, blocks)                                                                                   \
	EXPORT_KERNEL(conv_filter_##name##_f32, (Tile<m_tile, n_tile, rm, rn>::threads), blocks,                                             \
				  (float *dw, const float *__restrict__ x, const float *__restrict__ dy, float *partial, int m, int k, int depth_per_part, \
				   int flags, IMAGE_PARAMETERS)) {                                                                                     \
		typedef Tile<m_tile, n_tile, rm, rn> T;                                                                                        \
		const int group = blockIdx.y;                                                                                                  \
		const TapRows windows = {x + group * channels, IMAGE_PIXELS, IMAGE_TAPS, height, width, (flags & vector_b) != 0};              \
		const int n = windows.taps.count, depth = windows.pixels.count;                                                                \
		const Matrix<false> gradients = {dy + group * m, k, m, depth, (flags & vector_a) != 0};                                        \
		Result<Dense> result = {{n}, dw + static_cast<index_t>(group) * m * n, nullptr, nullptr, m, n, identity, flags};               \
		result.keep_part(partial);                                                                                                     \
		const Place p = place<T>(n, depth, depth_per_part);                                                                            \
		product<T>(gradients, windows, result, p.m0, p.n0, p.first, p.last);                                                           \
	}

FOR_EACH_TILE(DEFINE)
