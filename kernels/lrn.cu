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
template <class T>
DEVICE void forward(T *y, float *scale, const T *x, int lanes, index_t rows, int channels, int before, int after, float k, float alpha, float beta) {
	for_each_row<1>(rows, channels, lanes, [&](index_t r, int c) {
		const T *const in = x + r * channels;
		float sum = 0;
		for (int j = max(0, c - before); j < min(channels, c + after); j++) {
			const float v = load(in + j);
			sum += v * v;
		}
		const float s = k + alpha * sum;
		store(y + r * channels + c, load(in + c) * negative_power(s, beta));
		if (scale) scale[r * channels + c] = s;
	});
}

#define LRN_FORWARD(suffix, T)                                                                                                          \
	EXPORT_KERNEL(lrn_forward##suffix, threads, 4,                                                                                      \
				  (T *y, float *scale, const T *__restrict__ x, int lanes, index_t rows, int channels, int before, int after, float k,  \
				   float alpha, float beta)) {                                                                                          \
		forward(y, scale, x, lanes, rows, channels, before, after, k, alpha, beta);                                                     \
	}
FOR_EACH_TYPE(LRN_FORWARD)

// DX (+)= DY·SCALE^-beta - factor·X·(the sum of DY·Y/SCALE over the channels whose windows hold c), with factor = 2·alpha·beta.
template <class T>
DEVICE void backward(T *dx, const T *x, const T *y, const float *scale, const T *dy, int accumulate, int lanes, index_t rows, int channels, int before,
					 int after, float factor, float beta) {
	for_each_row<1>(rows, channels, lanes, [&](index_t r, int c) {
		const index_t row = r * channels, i = row + c;
		float sum = 0;
		for (int j = max(0, c - before); j < min(channels, c + after); j++) sum += load(dy + row + j) * load(y + row + j) / scale[row + j];
		put<1>(dx + i, Vector<1>{{load(dy + i) * negative_power(scale[i], beta) - factor * load(x + i) * sum}}, accumulate);
	});
}

#define LRN_BACKWARD(suffix, T)                                                                                                         \
	EXPORT_KERNEL(lrn_backward##suffix, threads, 4,                                                                                     \
				  (T *dx, const T *__restrict__ x, const T *__restrict__ y, const float *__restrict__ scale, const T *__restrict__ dy,  \
				   int accumulate, int lanes, index_t rows, int channels, int before, int after, float factor, float beta)) {           \
		backward(dx, x, y, scale, dy, accumulate, lanes, rows, channels, before, after, factor, beta);                                  \
	}
FOR_EACH_TYPE(LRN_BACKWARD)
