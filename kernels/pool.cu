// Pooling. One thread computes one pixel of the result, for one channel or a vector of them; the gradients gather what the windows over a pixel
// contribute, in the order of the windows, so that nothing needs an atomic addition.

#include "pooling.cuh"
#include "rows.cuh"

constexpr int threads = 256;

// Y = the largest element of each window, ARG = its tap r*S+s; ARG may be absent. The first of equal elements wins, and NaN over all.
template <int Width, class T> DEVICE void max_forward(T *y, float *arg, const T *x, int lanes, WINDOW) {
	for_each_row<Width>(static_cast<index_t>(images) * out_rows * out_columns, channels, lanes, [&](index_t number, int c) {
		const Pixel o = pixel_of(number, out_rows, out_columns);
		const auto itself = [](const Vector<Width> &v) { return v; };
		const Largest<Width> best = largest_of<Width>(x, WINDOW_ROWS, WINDOW_COLUMNS, o, channels, c, itself, nullptr);
		store<Width>(y + number * channels + c, best.value);
		if (arg) store<Width>(arg + number * channels + c, best.tap);
	});
}

#define MAX_POOL_FORWARD(suffix, T, Width, blocks)                                                                              \
	EXPORT_KERNEL(max_pool_forward##suffix, threads, blocks, (T *y, float *arg, const T *__restrict__ x, int lanes, WINDOW)) {  \
		max_forward<Width>(y, arg, x, lanes, WINDOW_ARGUMENTS);                                                                 \
	}
FOR_EACH_STORAGE(MAX_POOL_FORWARD)

// DX (+)= the sum of DY over the windows whose ARG is this pixel.
template <int Width, class T> DEVICE void max_backward(T *dx, const T *dy, const float *arg, int accumulate, int lanes, WINDOW) {
	for_each_row<Width>(static_cast<index_t>(images) * height * width, channels, lanes, [&](index_t number, int c) {
		const Pixel i = pixel_of(number, height, width);
		const auto gradient = [&](index_t o) { return load<Width>(dy + o); };
		const Vector<Width> sum = sum_to_largest<Width>(arg, WINDOW_ROWS, WINDOW_COLUMNS, i, channels, c, gradient);
		put<Width>(dx + number * channels + c, sum, accumulate);
	});
}

#define MAX_POOL_BACKWARD(suffix, T, Width, blocks)                                                                             \
	EXPORT_KERNEL(max_pool_backward##suffix, threads, blocks, (T *dx, const T *__restrict__ dy, const float *__restrict__ arg,  \
				   int accumulate, int lanes, WINDOW)) {                                                                        \
		max_backward<Width>(dx, dy, arg, accumulate, lanes, WINDOW_ARGUMENTS);                                                  \
	}
FOR_EACH_STORAGE(MAX_POOL_BACKWARD)

// What an output averages along one axis: count positions from first, step apart.
struct Taps {
	int first, step, count;
};

// An axis of average pooling. The mean counts the positions in [low, high), the padding included or not.
struct Averaged {
	Axis axis;
	int low, high;

	MEMBER Taps taps(int o) const {
		const Range t = axis.taps_inside(o);
		return {axis.start(o) + t.begin * axis.dilation, axis.dilation, t.end - t.begin};
	}
	// A window without a single position counts one: its mean is zero and not NaN.
	MEMBER int divisor(int o) const {
		const Range t = axis.taps_between(o, low, high);
		return max(1, t.end - t.begin);
	}
	MEMBER Range outputs(int i) const { return axis.outputs_over(i); }
	MEMBER bool reads(int o, int i) const { return axis.tap(o, i) >= 0; }
};

// An axis of adaptive average pooling: device.AdaptiveSpan. Its inverse is the same function with both sizes exchanged.
struct Adaptive {
	int size, count;

	static MEMBER Range span(int o, int in, int out) {
		const unsigned lo = static_cast<unsigned>(o) * in, hi = lo + in;
		return {static_cast<int>(lo / out), static_cast<int>((hi + out - 1) / out)};
	}
	MEMBER Taps taps(int o) const {
		const Range s = span(o, size, count);
		return {s.begin, 1, s.end - s.begin};
	}
	MEMBER int divisor(int o) const { return taps(o).count; }
	MEMBER Range outputs(int i) const { return span(i, count, size); }
	MEMBER bool reads(int, int) const { return true; }
};

// The sizes of an average's tensors: X (images, height, width, channels), Y (images, out_rows, out_columns, channels).
struct Sizes {
	int images, height, width, channels, out_rows, out_columns;
};

// Y = the mean over the taps of each output. Every row of taps has a sum of its own, which keeps the error of large windows small.
template <int Width, class T, class Along> DEVICE void average_forward(T *y, const T *x, int lanes, Sizes z, Along rows, Along columns) {
	for_each_row<Width>(static_cast<index_t>(z.images) * z.out_rows * z.out_columns, z.channels, lanes, [&](index_t number, int c) {
		const Pixel o = pixel_of(number, z.out_rows, z.out_columns);
		const Taps th = rows.taps(o.row), tw = columns.taps(o.column);
		Vector<Width> sum = {};
		for (int i = 0; i < th.count; i++) {
			Vector<Width> line = {};
			for (int j = 0; j < tw.count; j++) {
				const Vector<Width> in =
					load<Width>(x + at(o.image, th.first + i * th.step, tw.first + j * tw.step, z.height, z.width, z.channels) + c);
#pragma unroll
				for (int k = 0; k < Width; k++) line.v[k] += in.v[k];
			}
#pragma unroll
			for (int k = 0; k < Width; k++) sum.v[k] += line.v[k];
		}
		const float divisor = static_cast<float>(rows.divisor(o.row)) * static_cast<float>(columns.divisor(o.column));
		store<Width>(y + number * z.channels + c, each<Width>([&](int k) { return sum.v[k] / divisor; }));
	});
}

// DX (+)= the sum of DY/divisor over the outputs that average this pixel.
template <int Width, class T, class Along>
DEVICE void average_backward(T *dx, const T *dy, int accumulate, int lanes, Sizes z, Along rows, Along columns) {
	for_each_row<Width>(static_cast<index_t>(z.images) * z.height * z.width, z.channels, lanes, [&](index_t number, int c) {
		const Pixel i = pixel_of(number, z.height, z.width);
		const Range over_h = rows.outputs(i.row), over_w = columns.outputs(i.column);
		Vector<Width> sum = {};
		for (int p = over_h.begin; p < over_h.end; p++) {
			if (!rows.reads(p, i.row)) continue;
			const float high = static_cast<float>(rows.divisor(p));
			for (int q = over_w.begin; q < over_w.end; q++) {
				if (!columns.reads(q, i.column)) continue;
				const float share = 1.0f / (high * static_cast<float>(columns.divisor(q)));
				const Vector<Width> d = load<Width>(dy + at(i.image, p, q, z.out_rows, z.out_columns, z.channels) + c);
#pragma unroll
				for (int k = 0; k < Width; k++) sum.v[k] += d.v[k] * share;
			}
		}
		put<Width>(dx + number * z.channels + c, sum, accumulate);
	});
}

// The parameters that the averages add to those of a window: the positions that count.
#define COUNTED int low_h, int high_h, int low_w, int high_w
#define WINDOW_SIZES (Sizes{images, height, width, channels, out_rows, out_columns})
#define AVERAGED_ROWS (Averaged{WINDOW_ROWS, low_h, high_h})
#define AVERAGED_COLUMNS (Averaged{WINDOW_COLUMNS, low_w, high_w})

#define AVG_POOL_FORWARD(suffix, T, Width, blocks)                                                                          \
	EXPORT_KERNEL(avg_pool_forward##suffix, threads, blocks, (T *y, const T *__restrict__ x, COUNTED, int lanes, WINDOW)) { \
		average_forward<Width>(y, x, lanes, WINDOW_SIZES, AVERAGED_ROWS, AVERAGED_COLUMNS);                                 \
	}
FOR_EACH_STORAGE(AVG_POOL_FORWARD)

#define AVG_POOL_BACKWARD(suffix, T, Width, blocks)                                                                                             \
	EXPORT_KERNEL(avg_pool_backward##suffix, threads, blocks, (T *dx, const T *__restrict__ dy, COUNTED, int accumulate, int lanes, WINDOW)) {  \
		average_backward<Width>(dx, dy, accumulate, lanes, WINDOW_SIZES, AVERAGED_ROWS, AVERAGED_COLUMNS);                                      \
	}
FOR_EACH_STORAGE(AVG_POOL_BACKWARD)

#define ADAPTIVE int images, int height, int width, int channels, int out_rows, int out_columns
#define ADAPTIVE_AXES (Adaptive{height, out_rows}), (Adaptive{width, out_columns})

#define ADAPTIVE_AVG_POOL_FORWARD(suffix, T, Width, blocks)                                                                     \
	EXPORT_KERNEL(adaptive_avg_pool_forward##suffix, threads, blocks, (T *y, const T *__restrict__ x, int lanes, ADAPTIVE)) {   \
		average_forward<Width>(y, x, lanes, WINDOW_SIZES, ADAPTIVE_AXES);                                                       \
	}
FOR_EACH_STORAGE(ADAPTIVE_AVG_POOL_FORWARD)

#define ADAPTIVE_AVG_POOL_BACKWARD(suffix, T, Width, blocks)                                                                                        \
	EXPORT_KERNEL(adaptive_avg_pool_backward##suffix, threads, blocks, (T *dx, const T *__restrict__ dy, int accumulate, int lanes, ADAPTIVE)) {    \
		average_backward<Width>(dx, dy, accumulate, lanes, WINDOW_SIZES, ADAPTIVE_AXES);                                                            \
	}
FOR_EACH_STORAGE(ADAPTIVE_AVG_POOL_BACKWARD)
