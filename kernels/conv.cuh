// Convolutions as products; see product.cuh. The rows and depths of an operand that reads an image are pixels and taps, or taps and pixels: a pixel
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
struct Windows {
	static constexpr bool along_depth = true;
	const float *base;
	Pixels pixels;
	Taps taps;
	int height, width;
	bool vector;

	__device__ __forceinline__ Coordinate row(int i) const { return pixels(i); }
	__device__ __forceinline__ Coordinate depth(int k) const { return taps(k); }
	__device__ __forceinline__ bool inside(Coordinate r, Coordinate d) const {
		return static_cast<unsigned>(r.h + d.h) < static_cast<unsigned>(height) && static_cast<unsigned>(r.w + d.w) < static_cast<unsigned>(width);
	}
};

// TapRows is the same the other way round: rows are taps, depths are pixels.
struct TapRows {
	static constexpr bool along_depth = false;
	const float *base;
	Pixels pixels;
	Taps taps;
	int height, width;
	bool vector;

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
