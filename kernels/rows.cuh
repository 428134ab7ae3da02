// Loops over matrices (rows, channels), where a row is a pixel or a sample, and vectors of neighbouring channels.
#pragma once

#include "cuda.cuh"

// Width neighbouring channels of one row: 1, or 4 where channels and addresses are multiples of 4 elements.
template <int Width> struct Vector {
	static_assert(Width == 1 || Width == 4, "one access of 4 or 16 bytes");
	float v[Width];
};

template <int Width> DEVICE Vector<Width> load(const float *p) {
	if constexpr (Width == 4) {
		const float4 v = load4(p);
		return {{v.x, v.y, v.z, v.w}};
	} else {
		return {{*p}};
	}
}

template <int Width> DEVICE void store(float *p, const Vector<Width> &v) {
	if constexpr (Width == 4)
		store4(p, make_float4(v.v[0], v.v[1], v.v[2], v.v[3]));
	else
		*p = v.v[0];
}

// each returns the vector of f(0) to f(Width-1).
template <int Width, class F> DEVICE Vector<Width> each(F f) {
	Vector<Width> r;
#pragma unroll
	for (int i = 0; i < Width; i++) r.v[i] = f(i);
	return r;
}

// put stores v, or adds it to what is there.
template <int Width> DEVICE void put(float *p, const Vector<Width> &v, int accumulate) {
	if (accumulate) {
		const Vector<Width> old = load<Width>(p);
		store<Width>(p, each<Width>([&](int i) { return old.v[i] + v.v[i]; }));
	} else {
		store<Width>(p, v);
	}
}

// for_each_row calls body(r, c) for every row r and every multiple c of Width below channels. `lanes` threads, a power of two, share a row,
// and blockIdx.y cuts long rows, as gpu/rows.go says: no index needs a division.
template <int Width, class Body> DEVICE void for_each_row(index_t rows, int channels, int lanes, Body body) {
	const int lane = threadIdx.x & (lanes - 1), height = blockDim.x / lanes;
	const index_t step = static_cast<index_t>(gridDim.x) * height;
	for (int c = Width * (blockIdx.y * lanes + lane); c < channels; c += Width * gridDim.y * lanes)
		for (index_t r = static_cast<index_t>(blockIdx.x) * height + threadIdx.x / lanes; r < rows; r += step) body(r, c);
}
