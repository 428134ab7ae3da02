// Batch normalisation (Ioffe and Szegedy, arXiv:1502.03167) over the columns of (rows, channels). Its sums are taken in two launches: blocks
// leave partial sums in the workspace, then a warp adds up those of one channel, always in the same order.
//
//	partial[k, c, part]  float64: sum k, 0 or 1, of channel c over the rows of one part

#include "activation.cuh"
#include "pooling.cuh"
#include "rows.cuh"

constexpr int threads = 256;

// A value that a thread adds up in float32 is one of at most so many: everything above is float64, of which most GPUs do little.
constexpr int run = 64;

// sum_columns calls column(c, first, last, step, a, b) for each thread, which sets a and b to its two sums over rows first, first+step, ... below
// last, and adds up those of a block. A block covers `width` channels, a power of two up to 32, so that a warp reads whole lines of memory
// even where there are few channels; its threads divide the rows among them. The grid is (blocks of channels, parts).
template <class Column> DEVICE void sum_columns(double *partial, index_t rows, int channels, index_t rows_per_part, int width, Column column) {
	SHARED(double, sums, [2][threads]);
	const int thread = threadIdx.x, lane = thread & (width - 1), c = blockIdx.x * width + lane;
	const index_t first = blockIdx.y * rows_per_part;
	double a = 0, b = 0;
	if (c < channels) column(c, first + thread / width, min(first + rows_per_part, rows), threads / width, a, b);
	sums[0][thread] = a;
	sums[1][thread] = b;
	for (int half = threads / 2; half >= width; half /= 2) {
		__syncthreads();
		if (thread < half) {
			sums[0][thread] += sums[0][thread + half];
			sums[1][thread] += sums[1][thread + half];
		}
	}
	if (thread < width && c < channels) {
		const index_t parts = gridDim.y, at = c * parts + blockIdx.y;
		partial[at] = sums[0][thread];
		partial[channels * parts + at] = sums[1][thread];
	}
}

// The channel of this warp; it may lie behind the last.
DEVICE int warp_channel() { return blockIdx.x * (threads / 32) + threadIdx.x / 32; }

// sum_of_parts adds up sum k of channel c, with one warp.
DEVICE double sum_of_parts(const double *partial, int k, int c, int channels, int parts) {
	const double *const p = partial + (static_cast<index_t>(k) * channels + c) * parts;
	double sum = 0;
	for (int i = threadIdx.x % 32; i < parts; i += 32) sum += p[i];
	return warp_sum(sum);
}

// The sums of x-x0 and (x-x0)² with the channel's first value x0. Taking the differences to a value of the data keeps the variance exact where the
// mean is far from zero; a run of values does so with its own first value, in float32.
template <class T> DEVICE void moments(double *partial, const T *x, index_t rows, int channels, index_t rows_per_part, int width) {
	sum_columns(partial, rows, channels, rows_per_part, width,
				[&](int c, index_t first, index_t last, int step, double &a, double &b) {
					const float origin = load(x + c);
					for (index_t r = first; r < last;) {
						const float near = load(x + r * channels + c);
						float sum = 0, squares = 0;
						int n = 0;
#pragma unroll 4
						for (; n < run && r < last; n++, r += step) {
							const float d = load(x + r * channels + c) - near;
							sum += d;
							squares += d * d;
						}
						const double shift = static_cast<double>(near) - origin;
						a += n * shift + sum;
						b += squares + shift * (2.0 * sum + n * shift);
					}
				});
}

#define BATCH_NORM_MOMENTS(suffix, T)                                                                                           \
	EXPORT_KERNEL(batch_norm_moments##suffix, threads, 4,                                                                       \
				  (double *partial, const T *__restrict__ x, index_t rows, int channels, index_t rows_per_part, int width)) {   \
		moments(partial, x, rows, channels, rows_per_part, width);                                                              \
	}
FOR_EACH_TYPE(BATCH_NORM_MOMENTS)

// From the moments: MEAN, INV_STD and the running statistics, and the function y = scale·(x - mean) + shift that normalises.
template <class T>
DEVICE void statistics(const double *partial, const T *x, const float *gamma, const float *beta, float *run_mean, float *run_var, float *mean,
					   float *inv_std, float *scale, float *shift, index_t rows, int channels, int parts, float epsilon, float momentum) {
	const int c = warp_channel();
	if (c >= channels) return;
	const double a = sum_of_parts(partial, 0, c, channels, parts), b = sum_of_parts(partial, 1, c, channels, parts);
	if (threadIdx.x % 32 != 0) return;
	const double n = static_cast<double>(rows), offset = a / n, mu = load(x + c) + offset;
	double variance = b / n - offset * offset;
	if (variance < 0) variance = 0; // by rounding; NaN stays
	const double inverse = 1 / sqrt(variance + epsilon), factor = gamma[c] * inverse, m = momentum;
	const float center = static_cast<float>(mu);
	mean[c] = center;
	inv_std[c] = static_cast<float>(inverse);
	scale[c] = static_cast<float>(factor);
	shift[c] = static_cast<float>(beta[c] - factor * (mu - center));
	run_mean[c] = static_cast<float>((1 - m) * run_mean[c] + m * mu);
	run_var[c] = static_cast<float>((1 - m) * run_var[c] + m * (variance * n / (n - 1)));
}

#define BATCH_NORM_STATISTICS(suffix, T)                                                                                                        \
	EXPORT_KERNEL(batch_norm_statistics##suffix, threads, 4,                                                                                    \
				  (const double *__restrict__ partial, const T *__restrict__ x, const float *__restrict__ gamma,                                \
				   const float *__restrict__ beta, float *run_mean, float *run_var, float *mean, float *inv_std, float *scale, float *shift,    \
				   index_t rows, int channels, int parts, float epsilon, float momentum)) {                                                     \
		statistics(partial, x, gamma, beta, run_mean, run_var, mean, inv_std, scale, shift, rows, channels, parts, epsilon, momentum);          \
	}
FOR_EACH_TYPE(BATCH_NORM_STATISTICS)

// finish stores act(v + residual) at an element of Y; residual may be null, or Y.
template <int Width, class T> DEVICE void finish(T *y, const T *residual, int act, index_t at, const Vector<Width> &v) {
	Vector<Width> r = {};
	if (residual) r = load<Width>(residual + at);
	store<Width>(y + at, each<Width>([&](int i) { return activate(act, v.v[i] + r.v[i]); }));
}

// Y = act(scale·(X - mean) + shift + residual). X minus the mean is a difference of close numbers, and exact; X·scale alone would lose the digits.
template <int Width, class T>
DEVICE void normalize(T *y, const T *x, const T *residual, const float *mean, const float *scale, const float *shift, int act, int lanes,
					  index_t rows, int channels) {
	for_each_row<Width>(rows, channels, lanes, [&](index_t r, int c) {
		const Vector<Width> m = load<Width>(mean + c), k = load<Width>(scale + c), s = load<Width>(shift + c);
		const index_t at = r * channels + c;
		const Vector<Width> v = load<Width>(x + at);
		finish<Width>(y, residual, act, at, each<Width>([&](int i) { return k.v[i] * (v.v[i] - m.v[i]) + s.v[i]; }));
	});
}

#define BATCH_NORM_APPLY(suffix, T, Width, blocks)                                                                                          \
	EXPORT_KERNEL(batch_norm_apply##suffix, threads, blocks,                                                                                \
				  (T *y, const T *x, const T *residual, const float *__restrict__ mean, const float *__restrict__ scale,                    \
				   const float *__restrict__ shift, int act, int lanes, index_t rows, int channels)) {                                      \
		normalize<Width>(y, x, residual, mean, scale, shift, act, lanes, rows, channels);                                                   \
	}
FOR_EACH_STORAGE(BATCH_NORM_APPLY)

// Y = act(gamma·(X - run_mean)/sqrt(run_var + epsilon) + beta + residual). Y may be X.
template <int Width, class T>
DEVICE void infer(T *y, const T *x, const T *residual, const float *gamma, const float *beta, const float *run_mean, const float *run_var,
				  float epsilon, int act, int lanes, index_t rows, int channels) {
	for_each_row<Width>(rows, channels, lanes, [&](index_t r, int c) {
		const Vector<Width> g = load<Width>(gamma + c), b = load<Width>(beta + c), m = load<Width>(run_mean + c), s = load<Width>(run_var + c);
		const index_t at = r * channels + c;
		const Vector<Width> v = load<Width>(x + at);
		finish<Width>(y, residual, act, at, each<Width>([&](int i) { return g.v[i] / sqrtf(s.v[i] + epsilon) * (v.v[i] - m.v[i]) + b.v[i]; }));
	});
}

#define BATCH_NORM_INFERENCE(suffix, T, Width, blocks)                                                                                      \
	EXPORT_KERNEL(batch_norm_inference##suffix, threads, blocks,                                                                            \
				  (T *y, const T *x, const T *residual, const float *__restrict__ gamma, const float *__restrict__ beta,                    \
				   const float *__restrict__ run_mean, const float *__restrict__ run_var, float epsilon, int act, int lanes,                \
				   index_t rows, int channels)) {                                                                                           \
		infer<Width>(y, x, residual, gamma, beta, run_mean, run_var, epsilon, act, lanes, rows, channels);                                  \
	}
FOR_EACH_STORAGE(BATCH_NORM_INFERENCE)

// One row of weights for each channel: FOLDED_WEIGHT = WEIGHT·s and FOLDED_BIAS = beta + (bias - run_mean)·s with s = gamma/sqrt(run_var + epsilon). bias
// may be null.
template <int Width, class T>
DEVICE void fold(T *folded_weight, const float *weight, const float *bias, const float *gamma, const float *beta, const float *run_mean,
				 const float *run_var, float *folded_bias, float epsilon, int lanes, index_t channels, int length) {
	for_each_row<Width>(channels, length, lanes, [&](index_t c, int i) {
		const float s = gamma[c] / sqrtf(run_var[c] + epsilon);
		const Vector<Width> w = load<Width>(weight + c * length + i);
		store<Width>(folded_weight + c * length + i, each<Width>([&](int k) { return w.v[k] * s; }));
		if (i == 0) folded_bias[c] = beta[c] + ((bias ? bias[c] : 0.0f) - run_mean[c]) * s;
	});
}

#define BATCH_NORM_FOLD(suffix, T, Width, blocks)                                                                                               \
	EXPORT_KERNEL(batch_norm_fold##suffix, threads, blocks, (T *folded_weight, const float *__restrict__ weight, const float *__restrict__ bias, \
				   const float *__restrict__ gamma, const float *__restrict__ beta, const float *__restrict__ run_mean,                         \
				   const float *__restrict__ run_var, float *folded_bias, float epsilon, int lanes, index_t channels, int length)) {            \
		fold<Width>(folded_weight, weight, bias, gamma, beta, run_mean, run_var, folded_bias, epsilon, lanes, channels, length);                \
	}
FOR_EACH_STORAGE(BATCH_NORM_FOLD)

// The gradients behind the activation of a few rows are loaded before any of them is used.
constexpr int batch = 4;
static_assert(run % batch == 0, "a run is whole batches");

// The sums of g and g·(x-mean), where g = dy·act'(y), for one column. With Residual, residual (+)= g as well; it may be dy.
template <bool Residual, class T>
DEVICE void gradient_column(const T *x, const T *dy, const T *y, float mean, T *residual, int act, int accumulate, int channels, int c, index_t first,
							index_t last, int step, double &a, double &b) {
	for (index_t r = first; r < last;) {
		float sum = 0, product = 0;
		for (int n = 0; n < run && r < last; n += batch, r += batch * step) {
			float d[batch], u[batch], v[batch];
#pragma unroll
			for (int k = 0; k < batch; k++) {
				const index_t row = r + k * step, i = row * channels + c;
				d[k] = row < last ? load(dy + i) : 0.0f;
				u[k] = row < last ? load(x + i) - mean : 0.0f;
				v[k] = row < last && act != identity ? load(y + i) : 0.0f;
			}
#pragma unroll
			for (int k = 0; k < batch; k++) {
				const index_t row = r + k * step;
				const float g = slope(act, d[k], v[k]);
				if (Residual && row < last) put<1>(residual + row * channels + c, Vector<1>{{g}}, accumulate);
				sum += g;
				product += g * u[k];
			}
		}
		a += sum;
		b += product;
	}
}

template <class T>
DEVICE void gradient_sums(double *partial, const T *x, const T *dy, const T *y, const float *mean, T *residual, int act, int accumulate, index_t rows,
						  int channels, index_t rows_per_part, int width) {
	sum_columns(partial, rows, channels, rows_per_part, width, [&](int c, index_t first, index_t last, int step, double &a, double &b) {
		if (residual)
			gradient_column<true>(x, dy, y, mean[c], residual, act, accumulate, channels, c, first, last, step, a, b);
		else
			gradient_column<false>(x, dy, y, mean[c], residual, act, accumulate, channels, c, first, last, step, a, b);
	});
}

#define BATCH_NORM_GRADIENT_SUMS(suffix, T)                                                                                             \
	EXPORT_KERNEL(batch_norm_gradient_sums##suffix, threads, 4,                                                                         \
				  (double *partial, const T *__restrict__ x, const T *dy, const T *__restrict__ y, const float *__restrict__ mean,      \
				   T *residual, int act, int accumulate, index_t rows, int channels, index_t rows_per_part, int width)) {               \
		gradient_sums(partial, x, dy, y, mean, residual, act, accumulate, rows, channels, rows_per_part, width);                        \
	}
FOR_EACH_TYPE(BATCH_NORM_GRADIENT_SUMS)

// From these sums: DGAMMA (+)= the second times 1/std, DBETA (+)= the first. 1/std is inv_std, or with frozen statistics 1/sqrt(run_var + epsilon). Where
// scale is given, also the function dx = scale·dy + slope·(x-mean) + shift of the input's gradient; the statistics are those of `values` elements a channel.
EXPORT_KERNEL(batch_norm_gradients_f32, threads, 4,
			  (const double *__restrict__ partial, const float *__restrict__ gamma, const float *__restrict__ inv_std,
			   const float *__restrict__ run_var, float *dgamma, float *dbeta, float *scale, float *slope, float *shift, index_t values, int channels,
			   int parts, float epsilon, int accumulate)) {
	const int c = warp_channel();
	if (c >= channels) return;
	const double sum = sum_of_parts(partial, 0, c, channels, parts), raw = sum_of_parts(partial, 1, c, channels, parts);
	if (threadIdx.x % 32 != 0) return;
	const double inverse = inv_std ? static_cast<double>(inv_std[c]) : 1 / sqrt(static_cast<double>(run_var[c]) + epsilon);
	const double product = raw * inverse, n = static_cast<double>(values);
	dgamma[c] = static_cast<float>(accumulate ? dgamma[c] + product : product);
	dbeta[c] = static_cast<float>(accumulate ? dbeta[c] + sum : sum);
	if (scale) {
		const double factor = gamma[c] * inverse;
		scale[c] = static_cast<float>(factor);
		slope[c] = static_cast<float>(-factor * inverse * product / n);
		shift[c] = static_cast<float>(-factor * sum / n);
	}
}

// upstream returns the gradient behind the activation, dy·act'(y), at an element.
template <int Width, class T> DEVICE Vector<Width> upstream(const T *dy, const T *y, int act, index_t at) {
	const Vector<Width> d = load<Width>(dy + at);
	if (act == identity) return d;
	const Vector<Width> v = load<Width>(y + at);
	return each<Width>([&](int i) { return slope(act, d.v[i], v.v[i]); });
}

// DX (+)= scale·g + slope·(X-mean) + shift with g = DY·act'(Y). DX may be DY or X.
template <int Width, class T>
DEVICE void backward(T *dx, const T *dy, const T *y, const T *x, const float *mean, const float *scale, const float *slope, const float *shift,
					 int act, int accumulate, int lanes, index_t rows, int channels) {
	for_each_row<Width>(rows, channels, lanes, [&](index_t r, int c) {
		const Vector<Width> m = load<Width>(mean + c), k = load<Width>(scale + c), l = load<Width>(slope + c), s = load<Width>(shift + c);
		const index_t at = r * channels + c;
		const Vector<Width> v = load<Width>(x + at), g = upstream<Width>(dy, y, act, at);
		put<Width>(dx + at, each<Width>([&](int i) { return k.v[i] * g.v[i] + l.v[i] * (v.v[i] - m.v[i]) + s.v[i]; }), accumulate);
	});
}

#define BATCH_NORM_BACKWARD(suffix, T, Width, blocks)                                                                               \
	EXPORT_KERNEL(batch_norm_backward##suffix, threads, blocks,                                                                     \
				  (T *dx, const T *dy, const T *__restrict__ y, const T *x, const float *__restrict__ mean,                         \
				   const float *__restrict__ scale, const float *__restrict__ slope, const float *__restrict__ shift, int act,      \
				   int accumulate, int lanes, index_t rows, int channels)) {                                                        \
		backward<Width>(dx, dy, y, x, mean, scale, slope, shift, act, accumulate, lanes, rows, channels);                           \
	}
FOR_EACH_STORAGE(BATCH_NORM_BACKWARD)

// Residual (+)= g, unless it is null, and DX (+)= g·gamma/sqrt(run_var + epsilon) with g = DY·act'(Y). Both may be DY.
template <int Width, class T>
DEVICE void frozen_backward(T *dx, const T *dy, const T *y, T *residual, const float *gamma, const float *run_var, float epsilon, int act,
							int accumulate_residual, int accumulate, int lanes, index_t rows, int channels) {
	for_each_row<Width>(rows, channels, lanes, [&](index_t r, int c) {
		const index_t at = r * channels + c;
		const Vector<Width> k = load<Width>(gamma + c), s = load<Width>(run_var + c), g = upstream<Width>(dy, y, act, at);
		if (residual) put<Width>(residual + at, g, accumulate_residual);
		put<Width>(dx + at, each<Width>([&](int i) { return g.v[i] * (k.v[i] / sqrtf(s.v[i] + epsilon)); }), accumulate);
	});
}

#define BATCH_NORM_FROZEN_BACKWARD(suffix, T, Width, blocks)                                                                            \
	EXPORT_KERNEL(batch_norm_frozen_backward##suffix, threads, blocks,                                                                  \
				  (T *dx, const T *dy, const T *__restrict__ y, T *residual, const float *__restrict__ gamma,                           \
				   const float *__restrict__ run_var, float epsilon, int act, int accumulate_residual, int accumulate, int lanes,       \
				   index_t rows, int channels)) {                                                                                       \
		frozen_backward<Width>(dx, dy, y, residual, gamma, run_var, epsilon, act, accumulate_residual, accumulate, lanes, rows, channels);  \
	}
FOR_EACH_STORAGE(BATCH_NORM_FROZEN_BACKWARD)

// Y = the largest act(scale·(X - mean) + shift) of each window, ARG = its tap, LARGEST = X there. The activation comes first: what it makes equal, as zeros
// behind ReLU, is a tie.
template <int Width, class T>
DEVICE void pooled_forward(T *y, float *arg, T *largest, const T *x, const float *mean, const float *scale, const float *shift, int act, int lanes, WINDOW) {
	for_each_row<Width>(static_cast<index_t>(images) * out_rows * out_columns, channels, lanes, [&](index_t number, int c) {
		const Vector<Width> m = load<Width>(mean + c), k = load<Width>(scale + c), s = load<Width>(shift + c);
		const auto normalized = [&](const Vector<Width> &v) {
			return each<Width>([&](int i) { return activate(act, k.v[i] * (v.v[i] - m.v[i]) + s.v[i]); });
		};
		const Pixel o = pixel_of(number, out_rows, out_columns);
		Vector<Width> element;
		const Largest<Width> best = largest_of<Width>(x, WINDOW_ROWS, WINDOW_COLUMNS, o, channels, c, normalized, &element);
		const index_t at = number * channels + c;
		store<Width>(y + at, best.value);
		store<Width>(arg + at, best.tap);
		store<Width>(largest + at, element);
	});
}

#define BATCH_NORM_MAX_POOL_FORWARD(suffix, T, Width, blocks)                                                                               \
	EXPORT_KERNEL(batch_norm_max_pool_forward##suffix, threads, blocks,                                                                     \
				  (T *y, float *arg, T *largest, const T *__restrict__ x, const float *__restrict__ mean, const float *__restrict__ scale,  \
				   const float *__restrict__ shift, int act, int lanes, WINDOW)) {                                                          \
		pooled_forward<Width>(y, arg, largest, x, mean, scale, shift, act, lanes, WINDOW_ARGUMENTS);                                        \
	}
FOR_EACH_STORAGE(BATCH_NORM_MAX_POOL_FORWARD)

// DX (+)= scale·G + slope·(X-mean) + shift with G = the sum of DY·act'(Y) over the windows whose ARG is this pixel. DX may be X.
template <int Width, class T>
DEVICE void pooled_backward(T *dx, const T *x, const T *dy, const T *y, const float *arg, const float *mean, const float *scale, const float *slope,
							const float *shift, int act, int accumulate, int lanes, WINDOW) {
	for_each_row<Width>(static_cast<index_t>(images) * height * width, channels, lanes, [&](index_t number, int c) {
		const auto gradient = [&](index_t o) { return upstream<Width>(dy, y, act, o); };
		const Pixel i = pixel_of(number, height, width);
		const Vector<Width> g = sum_to_largest<Width>(arg, WINDOW_ROWS, WINDOW_COLUMNS, i, channels, c, gradient);
		const Vector<Width> m = load<Width>(mean + c), k = load<Width>(scale + c), l = load<Width>(slope + c), s = load<Width>(shift + c);
		const index_t at = number * channels + c;
		const Vector<Width> v = load<Width>(x + at);
		put<Width>(dx + at, each<Width>([&](int j) { return k.v[j] * g.v[j] + l.v[j] * (v.v[j] - m.v[j]) + s.v[j]; }), accumulate);
	});
}

#define BATCH_NORM_MAX_POOL_BACKWARD(suffix, T, Width, blocks)                                                                              \
	EXPORT_KERNEL(batch_norm_max_pool_backward##suffix, threads, blocks,                                                                    \
				  (T *dx, const T *x, const T *__restrict__ dy, const T *__restrict__ y, const float *__restrict__ arg,                     \
				   const float *__restrict__ mean, const float *__restrict__ scale, const float *__restrict__ slope,                        \
				   const float *__restrict__ shift, int act, int accumulate, int lanes, WINDOW)) {                                          \
		pooled_backward<Width>(dx, x, dy, y, arg, mean, scale, slope, shift, act, accumulate, lanes, WINDOW_ARGUMENTS);                     \
	}
FOR_EACH_STORAGE(BATCH_NORM_MAX_POOL_BACKWARD)
