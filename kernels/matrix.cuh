// Operands and results that are matrices; see product.cuh.
#pragma once

#include "product.cuh"

// The bits of the kernels' parameter `flags`.
enum Flag { vector_a = 1, vector_b = 2, vector_result = 4, add_to_result = 8 };

// A Matrix is an operand with `rows` rows and `depths` depths, `pitch` elements from one row to the next if AlongDepth, else from one depth to the next.
template <bool AlongDepth> struct Matrix {
	static constexpr bool along_depth = AlongDepth;
	const float *base;
	index_t pitch;
	int rows, depths;
	bool vector;

	__device__ __forceinline__ Coordinate row(int i) const { return {AlongDepth ? i * pitch : i, i < rows ? 0 : outside, 0}; }
	__device__ __forceinline__ Coordinate depth(int k) const { return {AlongDepth ? k : k * pitch, k < depths ? 0 : outside, 0}; }
	__device__ __forceinline__ bool inside(Coordinate r, Coordinate d) const { return (r.h | d.h) == 0; }
};

// Dense places row i at i·pitch.
struct Dense {
	index_t pitch;
	__device__ __forceinline__ index_t row(int i) const { return i * pitch; }
	__device__ __forceinline__ void make_dense(index_t p) { pitch = p; }
};

// A Result stores rows of D, (m, n), where Rows places them, with the epilogue of device.Epilogue: act(d + bias[column] + residual).
// bias and residual may be null.
template <class Rows> struct Result {
	Rows rows;
	float *base;
	const float *bias, *residual;
	int m, n, act, flags;

	// keep_part makes the result that of this block's part of the sum if the depth is cut into parts: it goes to partial (parts, groups, m, n) as it
	// is, and add_partials does the rest. partial is null where the depth is whole.
	__device__ __forceinline__ void keep_part(float *partial) {
		if (!partial) return;
		base = partial + (static_cast<index_t>(blockIdx.z) * gridDim.y + blockIdx.y) * m * n;
		rows.make_dense(n);
		bias = residual = nullptr;
		act = identity;
		flags &= ~add_to_result;
	}

	__device__ __forceinline__ void store_element(index_t at, int column, float v) const {
		if (flags & add_to_result) v += base[at];
		if (bias) v += bias[column];
		if (residual) v += residual[at];
		base[at] = activate(act, v);
	}

	__device__ __forceinline__ void store(int row, int column, float4 v) const {
		if (row >= m || column >= n) return;
		const index_t at = rows.row(row) + column;
		if (!(flags & vector_result)) {
			store_element(at, column, v.x);
			if (column + 1 < n) store_element(at + 1, column + 1, v.y);
			if (column + 2 < n) store_element(at + 2, column + 2, v.z);
			if (column + 3 < n) store_element(at + 3, column + 3, v.w);
			return;
		}
		if (flags & add_to_result) v = sum(v, load4(base + at));
		if (bias) v = sum(v, load4(bias + column));
		if (residual) v = sum(v, load4(residual + at));
		store4(base + at, activate(act, v));
	}

	static __device__ __forceinline__ float4 sum(float4 a, float4 b) { return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w); }
};

// add_partials adds the parts of every element, always in the same order, and stores the result. The grid is (blocks, groups).
template <class R> DEVICE void add_partials(const float *partial, int parts, const R &result) {
	const index_t size = static_cast<index_t>(result.m) * result.n;
	for (index_t i = grid_thread(); i < size; i += grid_threads()) {
		float sum = 0;
		for (int p = 0; p < parts; p++) sum += partial[(static_cast<index_t>(p) * gridDim.y + blockIdx.y) * size + i];
		const int row = static_cast<int>(i / result.n), column = static_cast<int>(i - static_cast<index_t>(row) * result.n);
		result.store_element(result.rows.row(row) + column, column, sum);
	}
}
