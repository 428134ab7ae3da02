// Convolution, gradient of the image: DX[pixel, c] (+)= sum over taps of DY[pixel's window, tap]·W[tap, c].
//
// A pixel h receives from output row p through filter row r where p·stride = h + pad - r·dilation. For all pixels with the same remainder
// of h + pad by the stride these are the same filter rows, every (stride / g)-th with g = gcd(stride, dilation), and from one to the next p falls by dilation / g.
// Each pair of remainders, of rows and columns, is thus a convolution of its own with stride 1, some of the filter's taps, and
// steps that go backwards: no zero is multiplied.

#pragma once

#include "conv.cuh"

// FilterColumns is the operand whose rows are the channels c and whose depths are the taps (row, column, k): W is (k, filter_taps, rows). Taps
// are `down` and `across` elements apart.
template <class E> struct FilterColumns {
	typedef E Element;
	static constexpr bool along_depth = false;
	const E *base;
	int rows;
	Taps taps;
	index_t down, across, filter;
	int word;

	__device__ __forceinline__ Coordinate row(int i) const { return {i, i < rows ? 0 : outside, 0}; }
	__device__ __forceinline__ Coordinate depth(int i) const {
		if (i >= taps.count) return {0, outside, 0};
		int k = i, column = taps.channels.split(k);
		const int row = taps.columns.split(column);
		return {k * filter + row * down + column * across, 0, 0};
	}
	__device__ __forceinline__ bool inside(Coordinate r, Coordinate d) const { return (r.h | d.h) == 0; }
};

// Scattered places the pixels of one class, (image, row, column), in DX: `down` and `across` elements apart.
struct Scattered {
	bool dense;
	Divisor rows, columns;
	index_t image_size, down, across;

	__device__ __forceinline__ index_t row(int i) const {
		if (dense) return i * across;
		int column = i, row = columns.split(column);
		const int image = rows.split(row);
		return image * image_size + row * down + column * across;
	}
	__device__ __forceinline__ void make_dense(index_t pitch) {
		dense = true;
		across = pitch;
	}
};

// The class's pixels in DX, beginning at dx.
#define RESULT_PARAMETERS index_t dx_image, index_t dx_down, index_t dx_across

#define RESULT_ROWS \
	{ false, Divisor(down, down_magic), Divisor(across, across_magic), dx_image, dx_down, dx_across }

// The grid is (tiles, groups, parts). A group has `channels` of the pitch filters, those of DY's channels, and n of DX's. weight begins with the first tap of
// the class, whose others are w_down and w_across elements apart; a filter has w_filter.
#define CONV_DATA_PARAMETERS(E)                                                                                                                  \
	E *dx, const E *__restrict__ dy, const E *__restrict__ weight, float *partial, int n, int depth_per_part, int flags, index_t w_filter, \
		index_t w_down, index_t w_across, RESULT_PARAMETERS, IMAGE_PARAMETERS

#define CONV_DATA_ARGUMENTS \
	dx, dy, weight, partial, n, depth_per_part, flags, w_filter, w_down, w_across, dx_image, dx_down, dx_across, IMAGE_ARGUMENTS

template <class T, class E, class... Stages> DEVICE void conv_data(CONV_DATA_PARAMETERS(E), Stages... stages) {
	const int group = blockIdx.y;
	const Windows<E> windows = {dy + group * channels, IMAGE_PIXELS, IMAGE_TAPS, height, width, word_of_a(flags)};
	const int m = windows.pixels.count, depth = windows.taps.count;
	const FilterColumns<E> filters = {weight + static_cast<index_t>(group) * channels * w_filter, n, IMAGE_TAPS, w_down, w_across, w_filter,
									  word_of_b(flags)};
	Result<Scattered, E> result = {RESULT_ROWS, dx + group * n, nullptr, nullptr, m, n, identity, flags};
	result.keep_part(partial);
	product(T(), windows, filters, result, place<T>(n, depth, depth_per_part), stages...);
}

// DX (+)= the sum over partial (parts, groups, m, n).
#define CONV_DATA_ADD_PARAMETERS(E)                                                                                                     \
	E *dx, const float *__restrict__ partial, int parts, int m, int n, int flags, int down, index_t down_magic, int across, \
		index_t across_magic, RESULT_PARAMETERS

template <class E> DEVICE void conv_data_add(CONV_DATA_ADD_PARAMETERS(E)) {
	const Result<Scattered, E> result = {RESULT_ROWS, dx + blockIdx.y * n, nullptr, nullptr, m, n, identity, flags};
	add_partials(partial, parts, result);
}

#define CONV_DATA_ADD_ARGUMENTS dx, partial, parts, m, n, flags, down, down_magic, across, across_magic, dx_image, dx_down, dx_across
