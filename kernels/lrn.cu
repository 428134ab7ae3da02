// Local response normalisation across channels (Krizhevsky, Sutskever and Hinton 2012, section 3.3): device.LRNForward. A thread computes one element;
// its neighbours' values come from the first-level cache.

#include "rows.cuh"

constexpr int threads = 256;

// s^-beta. Published networks have beta 3/4, which two square roots give.
DEVICE float negative_power(float s, float beta) {
	if (beta == 0.75f) {
		const float root = sqrtf(s);
		return 1 / (root * sqrtf(root));
	}
	return powf(s, -beta);
}

// SCALE = k + alpha·(the sum of X² over channels [c-before, c-before+size)), Y = X·SCALE^-beta. SCALE may be absent.
EXPORT_KERNEL(lrn_forward_f32, threads, 4,
			  (float *y, float *scale, const float *__restrict__ x, int lanes, index_t rows, int channels, int before, int after, float k,
			   float alpha, float beta)) {
	for_each_row<1>(rows, channels, lanes, [&](index_t r, int c) {
		const float *const in = x + r * channels;
		float sum = 0;
		for (int j = max(0, c - before); j < min(channels, c + after); j++) sum += in[j] * in[j];
		const float s = k + alpha * sum;
		y[r * channels + c] = in[c] * negative_power(s, beta);
		if (scale) scale[r * channels + c] = s;
	});
}

// DX (+)= DY·SCALE^-beta - factor·X·(the sum of DY·Y/SCALE over the channels whose windows hold c), with factor = 2·alpha·beta.
EXPORT_KERNEL(lrn_backward_f32, threads, 4,
			  (float *dx, const float *__restrict__ x, const float *__restrict__ y, const float *__restrict__ scale,
			   const float *__restrict__ dy, int accumulate, int lanes, index_t rows, int channels, int before, int after, float factor, float beta)) {
	for_each_row<1>(rows, channels, lanes, [&](index_t r, int c) {
		const index_t row = r * channels, i = row + c;
		float sum = 0;
		for (int j = max(0, c - before); j < min(channels, c + after); j++) sum += dy[row + j] * y[row + j] / scale[row + j];
		const float v = dy[i] * negative_power(scale[i], beta) - factor * x[i] * sum;
		dx[i] = accumulate ? dx[i] + v : v;
	});
}
