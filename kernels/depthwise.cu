// Depthwise convolution: every channel has a filter of its own (Howard et al., MobileNets, arXiv:1704.04861, section 3.1). There is no matrix product in
// it. Threads go along the channels, where images are contiguous; the filter is brought to the same layout first.
//
//	taps    float32 (R·S, C)
//
// Images and filters are stored in float32 or bfloat16, and summed in float32 or wider.

#include "activation.cuh"
#include "rows.cuh"
#include "window.cuh"

constexpr int threads = 256;

// taps[t, c] = weight[c, t].
template <class T> DEVICE void pack(float *taps, const T *weight, int count, int channels) {
	const index_t n = static_cast<index_t>(count) * channels;
	for (index_t i = grid_thread(); i < n; i += grid_threads()) {
		const index_t t = i / channels, c = i - t * channels;
		taps[i] = load(weight + (c * count + t));
	}
}

#define PACK(suffix, T)                                                                                                    \
	EXPORT_KERNEL(depthwise_pack##suffix, threads, 4, (float *taps, const T *__restrict__ weight, int count, int channels)) { \
		pack(taps, weight, count, channels);                                                                               \
	}
FOR_EACH_TYPE(PACK)

// A thread computes so many neighbouring outputs of a row, and reads each tap of the filter once for all of them.
constexpr int tile = 4;

// Y = act(the sum over the taps of X·taps + bias + residual). bias and residual may be absent.
template <int Width, class T>
DEVICE void forward(T *y, const T *x, const float *taps, const float *bias, const T *residual, int act, int lanes, WINDOW) {
	const Axis rows = WINDOW_ROWS, columns = WINDOW_COLUMNS;
	const int tiles = (out_columns + tile - 1) / tile;
	for_each_row<Width>(static_cast<index_t>(images) * out_rows * tiles, channels, lanes, [&](index_t number, int c) {
		const Pixel o = pixel_of(number, out_rows, tiles);
		const int first = o.column * tile, count = min(tile, out_columns - first), left = columns.start(first);
		Vector<Width> sum[tile] = {};
		const Range inside = rows.taps_inside(o.row);
		for (int r = inside.begin; r < inside.end; r++) {
			const index_t line = at(o.image, rows.start(o.row) + r * dilation_h, 0, height, width, channels) + c;
			for (int s = 0; s < taps_s; s++) {
				const Vector<Width> k = load<Width>(taps + static_cast<index_t>(r * taps_s + s) * channels + c);
#pragma unroll
				for (int j = 0; j < tile; j++) {
					const int w = left + j * stride_w + s * dilation_w;
					if (j >= count || w < 0 || w >= width) continue;
					const Vector<Width> v = load<Width>(x + line + static_cast<index_t>(w) * channels);
#pragma unroll
					for (int i = 0; i < Width; i++) sum[j].v[i] += v.v[i] * k.v[i];
				}
			}
		}
		const Vector<Width> b = bias ? load<Width>(bias + c) : Vector<Width>{};
		const index_t out = at(o.image, o.row, first, out_rows, out_columns, channels) + c;
#pragma unroll
		for (int j = 0; j < tile; j++) {
			if (j >= count) continue;
			const index_t i = out + static_cast<index_t>(j) * channels;
			const Vector<Width> add = residual ? load<Width>(residual + i) : Vector<Width>{};
			store<Width>(y + i, each<Width>([&](int k) { return activate(act, sum[j].v[k] + b.v[k] + add.v[k]); }));
		}
	});
}

#define FORWARD(suffix, T, Width, blocks)                                                                                                    \
	EXPORT_KERNEL(depthwise_forward##suffix, threads, 2,                                                                                     \
				  (T *y, const T *__restrict__ x, const float *__restrict__ taps, const float *__restrict__ bias, const T *residual, int act, \
				   int lanes, WINDOW)) {                                                                                                     \
		forward<Width>(y, x, taps, bias, residual, act, lanes, WINDOW_ARGUMENTS);                                                            \
	}
FOR_EACH_STORAGE(FORWARD)

// DX (+)= the sum over the windows that read this pixel of DY·taps.
template <int Width, class T> DEVICE void backward_data(T *dx, const T *dy, const float *taps, int accumulate, int lanes, WINDOW) {
	for_each_row<Width>(static_cast<index_t>(images) * height * width, channels, lanes, [&](index_t number, int c) {
		const Pixel i = pixel_of(number, height, width);
		Vector<Width> sum = {};
		for_each_reader(WINDOW_ROWS, WINDOW_COLUMNS, i, [&](int p, int q, int r, int s) {
			const Vector<Width> d = load<Width>(dy + at(i.image, p, q, out_rows, out_columns, channels) + c);
			const Vector<Width> k = load<Width>(taps + static_cast<index_t>(r * taps_s + s) * channels + c);
#pragma unroll
			for (int j = 0; j < Width; j++) sum.v[j] += d.v[j] * k.v[j];
		});
		put<Width>(dx + number * channels + c, sum, accumulate);
	});
}

#define BACKWARD_DATA(suffix, T, Width, blocks)                                                                                    \
	EXPORT_KERNEL(depthwise_backward_data##suffix, threads, blocks,                                                                \
				  (T *dx, const T *__restrict__ dy, const float *__restrict__ taps, int accumulate, int lanes, WINDOW)) {         \
		backward_data<Width>(dx, dy, taps, accumulate, lanes, WINDOW_ARGUMENTS);                                                   \
	}
FOR_EACH_STORAGE(BACKWARD_DATA)

// A thread keeps the sums of so many taps, so that a gradient is read once for all of them: a 3x3 filter.
constexpr int group = 9;

// partial[c, t, part] = the sum of DY·X over the outputs of one part, for the taps t of group blockIdx.z. A block covers `lanes` channels, a power of
// two up to 32; its other threads divide the outputs among them, each at most gpu/depthwise.go's perThread. Above that all is float64.
template <class T> DEVICE void backward_filter(double *partial, const T *x, const T *dy, int per_part, int lanes, WINDOW) {
	SHARED(double, sums, [threads]);
	const Axis rows = WINDOW_ROWS, columns = WINDOW_COLUMNS;
	const int thread = threadIdx.x, lane = thread & (lanes - 1), c = blockIdx.x * lanes + lane, count = taps_r * taps_s;
	const int first_tap = blockIdx.z * group, outputs = images * out_rows * out_columns;
	const int first = blockIdx.y * per_part, last = min(first + per_part, outputs);
	int down[group], across[group];
#pragma unroll
	for (int t = 0; t < group; t++) {
		const int tap = first_tap + t;
		down[t] = tap / taps_s * dilation_h;
		across[t] = tap % taps_s * dilation_w;
	}
	float sum[group] = {};
	if (c < channels) {
		for (int number = first + thread / lanes; number < last; number += threads / lanes) {
			const Pixel o = pixel_of(number, out_rows, out_columns);
			const int top = rows.start(o.row), left = columns.start(o.column);
			const float d = load(dy + (static_cast<index_t>(number) * channels + c));
#pragma unroll
			for (int t = 0; t < group; t++) {
				const int h = top + down[t], w = left + across[t];
				if (first_tap + t < count && h >= 0 && h < height && w >= 0 && w < width)
					sum[t] += d * load(x + (at(o.image, h, w, height, width, channels) + c));
			}
		}
	}
#pragma unroll
	for (int t = 0; t < group; t++) {
		__syncthreads(); // the last group's sums have been read
		sums[thread] = sum[t];
		for (int half = threads / 2; half >= lanes; half /= 2) {
			__syncthreads();
			if (thread < half) sums[thread] += sums[thread + half];
		}
		const int tap = first_tap + t;
		if (thread < lanes && c < channels && tap < count)
			partial[(static_cast<index_t>(c) * count + tap) * gridDim.y + blockIdx.y] = sums[thread];
	}
}

#define BACKWARD_FILTER(suffix, T)                                                                                             \
	EXPORT_KERNEL(depthwise_backward_filter##suffix, threads, 2,                                                               \
				  (double *partial, const T *__restrict__ x, const T *__restrict__ dy, int per_part, int lanes, WINDOW)) {     \
		backward_filter(partial, x, dy, per_part, lanes, WINDOW_ARGUMENTS);                                                    \
	}
FOR_EACH_TYPE(BACKWARD_FILTER)

// DWEIGHT[i] (+)= the sum of partial[i, 0..parts), one warp for each i.
EXPORT_KERNEL(depthwise_add_parts_f64, threads, 4,
			  (float *dweight, const double *__restrict__ partial, index_t n, int parts, int accumulate)) {
	const index_t i = static_cast<index_t>(blockIdx.x) * (threads / 32) + threadIdx.x / 32;
	if (i >= n) return;
	double sum = 0;
	for (int p = threadIdx.x % 32; p < parts; p += 32) sum += partial[i * parts + p];
	sum = warp_sum(sum);
	if (threadIdx.x % 32 == 0) dweight[i] = static_cast<float>(accumulate ? dweight[i] + sum : sum);
}
