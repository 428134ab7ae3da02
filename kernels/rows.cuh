// Loops over matrices (rows, channels), where a row is a pixel or a sample, a vector of neighbouring channels at a time.
#pragma once

#include "vector.cuh"

// for_each_row calls body(r, c) for every row r and every multiple c of Width below channels. `lanes` threads, a power of two, share a row,
// and blockIdx.y cuts long rows, as gpu/rows.go says: no index needs a division.
template <int Width, class Body> DEVICE void for_each_row(index_t rows, int channels, int lanes, Body body) {
	const int lane = threadIdx.x & (lanes - 1), height = blockDim.x / lanes;
	const index_t step = static_cast<index_t>(gridDim.x) * height;
	for (int c = Width * (blockIdx.y * lanes + lane); c < channels; c += Width * gridDim.y * lanes)
		for (index_t r = static_cast<index_t>(blockIdx.x) * height + threadIdx.x / lanes; r < rows; r += step) body(r, c);
}
