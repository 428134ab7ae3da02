// Convolutions as products; see operand.cuh. The rows and depths of an operand that reads an image are pixels and taps, or taps and pixels: a pixel
// says where a window begins and a tap how far into the window its element lies. That their coordinates add up is all that the three passes
// need.
#pragma once

#include "matrix.cuh"

// A Divisor divides numbers from 0 to 2^31-1 by a constant of at least 1: n / d = n·ceil(2^(32+shift) / d) / 2^(32+shift), which is exact (Granlund and
// Montgomery, "Division by Invariant Integers using Multiplication", PLDI 1994, theorem 4.2). Package gpu computes the magic number:
// the shift in the upper half, the multiplier in the lower; a multiplier of 0 stands for d = 1.
struct Divisor {
	int d;
	uint32_t multiplier, shift;

	__device__ __forceinline__ Divisor(int divisor, index_t magic)
		: d(divisor), multiplier(static_cast<uint32_t>(magic)), shift(static_cast<uint32_t>(magic >> 32)) {}

	__device__ __forceinline__ int quotient(int n) const {
		return multiplier == 0 ? n : static_cast<int>(__umulhi(static_cast<uint32_t>(n), multiplier) >> shift);
	}

	// split divides n and leaves the remainder in it.
	__device__ __forceinline__ int split(int &n) const {
		const int q = quotient(n);
		n -= q * d;
		return q;
	}
};

// Pixels counts the pixels (image, row, column) of an image, `down` and `across` of them each. Pixel (row, column) lies at h = row·stride_h + first_h and
// w likewise in images of `pitch` elements a pixel, `width` pixels a row and image_size elements.
struct Pixels {
	int count;
	Divisor down, across;
	int stride_h, stride_w, first_h, first_w;
	int width, pitch;
	index_t image_size;

	__device__ __forceinline__ Coordinate operator()(int i) const {
		if (i >= count) return {0, outside, 0};
		int column = i, row = across.split(column);
		const int image = down.split(row), h = row * stride_h + first_h, w = column * stride_w + first_w;
		return {image * image_size + (static_cast<index_t>(h) * width + w) * pitch, h, w};
	}
};

// Taps counts the elements (row, column, channel) of a window: row r lies r·step_h pixels below its first, which may be above for a
// negative step.
struct Taps {
	int count;
	Divisor columns, channels;
	int step_h, step_w;
	int width, pitch;

	__device__ __forceinline__ Coordinate operator()(int i) const {
		if (i >= count) return {0, outside, 0};
		int channel = i, column = channels.split(channel);
		const int row = columns.split(column), h = row * step_h, w = column * step_w;
		return {(static_cast<index_t>(h) * width + w) * pitch + channel, h, w};
	}
};

// Windows is the operand whose rows are pixels and whose depths are the taps of the window there: neighbours are channels.
template <class E> struct Windows {
	typedef E Element;
	static constexpr bool along_depth = true;
	const E *base;
	Pixels pixels;
	Taps taps;
	int height, width;
	int word;

	__device__ __forceinline__ Coordinate row(int i) const { return pixels(i); }
	__device__ __forceinline__ Coordinate depth(int k) const { return taps(k); }
	__device__ __forceinline__ bool inside(Coordinate r, Coordinate d) const {
		return static_cast<unsigned>(r.h + d.h) < static_cast<unsigned>(height) && static_cast<unsigned>(r.w + d.w) < static_cast<unsigned>(width);
	}
};

// TapRows is the same the other way round: rows are taps, depths are pixels.
template <class E> struct TapRows {
	typedef E Element;
	static constexpr bool along_depth = false;
	const E *base;
	Pixels pixels;
	Taps taps;
	int height, width;
	int word;

	__device__ __forceinline__ Coordinate row(int i) const { return taps(i); }
	__device__ __forceinline__ Coordinate depth(int k) const { return pixels(k); }
	__device__ __forceinline__ bool inside(Coordinate r, Coordinate d) const {
		return static_cast<unsigned>(r.h + d.h) < static_cast<unsigned>(height) && static_cast<unsigned>(r.w + d.w) < static_cast<unsigned>(width);
	}
};

// The kernels' parameters of pixels and taps in images of (height, width, pitch) elements.
#define IMAGE_PARAMETERS                                                                                                                  \
	int images, int height, int width, int pitch, int down, index_t down_magic, int across, index_t across_magic, int stride_h, int stride_w, \
		int first_h, int first_w, int tap_rows, int tap_columns, index_t tap_columns_magic, int channels, index_t channels_magic, int step_h,  \
		int step_w

#define IMAGE_PIXELS                                                                                                    \
	{                                                                                                                   \
		images *down *across, Divisor(down, down_magic), Divisor(across, across_magic), stride_h, stride_w, first_h, first_w, width, pitch, \
			static_cast<index_t>(height) * width * pitch                                                                \
	}

#define IMAGE_TAPS \
	{ tap_rows *tap_columns *channels, Divisor(tap_columns, tap_columns_magic), Divisor(channels, channels_magic), step_h, step_w, width, pitch }

// The epilogue's parameters come from device.Epilogue, flags are those of matrix.cuh, and partial (parts, groups, m, n) is null unless the depth is cut
// into parts of depth_per_part, as many as the grid is deep: it is (tiles, groups, parts). Tensor-core kernels are told their number of stages.
#define IMAGE_ARGUMENTS                                                                                                           \
	images, height, width, pitch, down, down_magic, across, across_magic, stride_h, stride_w, first_h, first_w, tap_rows, tap_columns, \
		tap_columns_magic, channels, channels_magic, step_h, step_w

// Forward: Y[pixel, k] = epilogue(sum over taps of X[pixel's window, tap]·W[k, tap]). The rows of the product are the output's pixels, its columns the
// filters, its depth the taps (r, s, c) of one group. A group has `channels` of the pitch channels of X, and n of the k filters. W is (k, depth).
#define CONV_FORWARD_PARAMETERS(E)                                                                                                         \
	E *y, const E *__restrict__ x, const E *__restrict__ weight, float *partial, const float *bias, const E *residual, int n, int k, \
		int depth_per_part, int act, int flags, IMAGE_PARAMETERS

#define CONV_FORWARD_ARGUMENTS y, x, weight, partial, bias, residual, n, k, depth_per_part, act, flags, IMAGE_ARGUMENTS

template <class T, class E, class... Stages> DEVICE void conv_forward(CONV_FORWARD_PARAMETERS(E), Stages... stages) {
	const int group = blockIdx.y;
	const Windows<E> windows = {x + group * channels, IMAGE_PIXELS, IMAGE_TAPS, height, width, word_of_a(flags)};
	const int m = windows.pixels.count, depth = windows.taps.count;
	const Matrix<E, true> filters = {weight + static_cast<index_t>(group) * n * depth, depth, n, depth, word_of_b(flags)};
	Result<Dense, E> result = {{k}, y + group * n, bias ? bias + group * n : nullptr, residual ? residual + group * n : nullptr, m, n, act, flags};
	result.keep_part(partial);
	product(T(), windows, filters, result, place<T>(n, depth, depth_per_part), stages...);
}

// Gradient of the filters: DW[k, tap] (+)= sum over pixels of DY[pixel, k]·X[pixel's window, tap], in float32 whatever E is. The rows of the product are the
// filters, its columns the taps (r, s, c) of one group, its depth the output's pixels. A group has `channels` of the pitch channels of X, and m of the k
// filters. DW is (k, taps).
#define CONV_FILTER_PARAMETERS(E)                                                                                                    \
	float *dw, const E *__restrict__ x, const E *__restrict__ dy, float *partial, int m, int k, int depth_per_part, int flags, \
		IMAGE_PARAMETERS

#define CONV_FILTER_ARGUMENTS dw, x, dy, partial, m, k, depth_per_part, flags, IMAGE_ARGUMENTS

template <class T, class E, class... Stages> DEVICE void conv_filter(CONV_FILTER_PARAMETERS(E), Stages... stages) {
	const int group = blockIdx.y;
	const TapRows<E> windows = {x + group * channels, IMAGE_PIXELS, IMAGE_TAPS, height, width, word_of_b(flags)};
	const int n = windows.taps.count, depth = windows.pixels.count;
	const Matrix<E, false> gradients = {dy + group * m, k, m, depth, word_of_a(flags)};
	Result<Dense, float> result = {{n}, dw + static_cast<index_t>(group) * m * n, nullptr, nullptr, m, n, identity, flags};
	result.keep_part(partial);
	product(T(), gradients, windows, result, place<T>(n, depth, depth_per_part), stages...);
}
