// What the input of a network is made of.

#include "cuda.cuh"

constexpr int threads = 256;

// Y[n, h, w, c] = table[c, X[n, h, w', c]] with w' = W-1-w where flip[n] is not 0, else w: see device.Normalize. X is (N, H, W, C) bytes. The grid is
// (blocks of pixels, images); each thread takes whole pixels, so that a warp reads and writes one run of memory, forwards or backwards.
EXPORT_KERNEL(normalize_u8_f32, threads, 4,
			  (float *__restrict__ y, const uint8_t *__restrict__ x, const uint32_t *__restrict__ flip, const float *__restrict__ table, index_t images, int pixels,
			   int width, int channels)) {
	for (index_t n = blockIdx.y; n < images; n += gridDim.y) {
		const bool mirrored = flip[n] != 0;
		const uint8_t *const from = x + n * pixels * channels;
		float *const to = y + n * pixels * channels;
		for (index_t p = grid_thread(); p < pixels; p += grid_threads()) {
			const int i = static_cast<int>(p);
			index_t source = i;
			if (mirrored) {
				const int column = i % width;
				source = i - column + (width - 1 - column);
			}
			for (int c = 0; c < channels; c++) to[p * channels + c] = table[256 * c + from[source * channels + c]];
		}
	}
}
