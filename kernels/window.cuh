// Windows that move over images: device.Window, and which positions of an image and of an output belong together.
#pragma once

#include "cuda.cuh"

// MEMBER is DEVICE for the functions of a struct.
#define MEMBER __device__ __forceinline__

// A range of positions, without its end.
struct Range {
	int begin, end;
};

// div_up rounds the quotient of a positive n up. Divisors are strides and dilations, mostly 1.
DEVICE int div_up(int n, int d) { return d == 1 ? n : (n + d - 1) / d; }

// One axis of a window: output o reads positions o*stride - before + t*dilation for the taps t.
struct Axis {
	int size, outputs, taps, stride, dilation, before;

	MEMBER int start(int o) const { return o * stride - before; }

	// The taps of output o that lie in [low, high).
	MEMBER Range taps_between(int o, int low, int high) const {
		const int at = start(o);
		const Range r = {at >= low ? 0 : div_up(low - at, dilation), high <= at ? 0 : min(taps, div_up(high - at, dilation))};
		return {r.begin, max(r.begin, r.end)};
	}

	// The taps of output o that lie in the image.
	MEMBER Range taps_inside(int o) const { return taps_between(o, 0, size); }

	// The outputs whose windows span position i; with a dilation not all of them read it.
	MEMBER Range outputs_over(int i) const {
		const int near = i + before, far = near - (taps - 1) * dilation;
		return {far <= 0 ? 0 : div_up(far, stride), min(outputs, (stride == 1 ? near : near / stride) + 1)};
	}

	// The tap with which output o of outputs_over(i) reads position i, or -1.
	MEMBER int tap(int o, int i) const {
		const int offset = i - start(o);
		if (dilation == 1) return offset;
		return offset % dilation == 0 ? offset / dilation : -1;
	}
};

// The parameters of kernels that move a window, as binder.window of gpu/window.go passes them.
#define WINDOW                                                                                                               \
	int images, int height, int width, int channels, int out_rows, int out_columns, int taps_r, int taps_s, int stride_h,  \
		int stride_w, int dilation_h, int dilation_w, int pad_top, int pad_left

#define WINDOW_ARGUMENTS                                                                                                          \
	images, height, width, channels, out_rows, out_columns, taps_r, taps_s, stride_h, stride_w, dilation_h, dilation_w, pad_top, \
		pad_left

#define WINDOW_ROWS (Axis{height, out_rows, taps_r, stride_h, dilation_h, pad_top})
#define WINDOW_COLUMNS (Axis{width, out_columns, taps_s, stride_w, dilation_w, pad_left})

// A pixel of a batch of images.
struct Pixel {
	int image, row, column;
};

// pixel_of finds the pixel of that number; there are less than 2^30.
DEVICE Pixel pixel_of(index_t number, int rows, int columns) {
	const unsigned i = static_cast<unsigned>(number), line = i / columns;
	return {static_cast<int>(line / rows), static_cast<int>(line % rows), static_cast<int>(i - line * columns)};
}

// at returns where the channels of a pixel begin in (images, rows, columns, channels).
DEVICE index_t at(int image, int row, int column, int rows, int columns, int channels) {
	return ((static_cast<index_t>(image) * rows + row) * columns + column) * channels;
}

// for_each_reader calls body(p, q, r, s) for each output (p, q) that reads pixel i with a tap (r, s), in the order of the outputs.
template <class Body> DEVICE void for_each_reader(const Axis &rows, const Axis &columns, const Pixel &i, Body body) {
	const Range over_h = rows.outputs_over(i.row), over_w = columns.outputs_over(i.column);
	for (int p = over_h.begin; p < over_h.end; p++) {
		const int r = rows.tap(p, i.row);
		if (r < 0) continue;
		for (int q = over_w.begin; q < over_w.end; q++) {
			const int s = columns.tap(q, i.column);
			if (s >= 0) body(p, q, r, s);
		}
	}
}
