// Operands and results that are matrices; see operand.cuh.
#pragma once

#include <type_traits>

#include "activation.cuh"
#include "operand.cuh"
#include "tensor.cuh"

// The bits of the kernels' parameter `flags`. A result of bf16 may be float32 after all: float_result.
enum Flag { words_a = 1, words_b = 2, vector_result = 4, add_to_result = 8, half_words_a = 16, half_words_b = 32, float_result = 64 };

// The words of an operand's neighbours, in bytes.
DEVICE int word_of_a(int flags) { return flags & words_a ? 16 : flags & half_words_a ? 8 : 0; }
DEVICE int word_of_b(int flags) { return flags & words_b ? 16 : flags & half_words_b ? 8 : 0; }

// A Matrix is an operand with `rows` rows and `depths` depths, `pitch` elements from one row to the next if AlongDepth, else from one depth to the next.
template <class E, bool AlongDepth> struct Matrix {
	typedef E Element;
	static constexpr bool along_depth = AlongDepth;
	const E *base;
	index_t pitch;
	int rows, depths;
	int word;

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

// A Result stores rows of D, (m, n), where Rows places them, with the epilogue of device.Epilogue: act(d + bias[column] + residual), computed in float32
// and rounded once. bias and residual may be null. E is the type of what is stored and of the residual.
template <class Rows, class E> struct Result {
	Rows rows;
	E *base;
	const float *bias;
	const E *residual;
	int m, n, act, flags;

	// keep_part makes the result that of this block's part of the sum if the depth is cut into parts: it goes to partial (parts, groups, m, n) as it
	// is, and add_partials does the rest. partial is null where the depth is whole.
	__device__ __forceinline__ void keep_part(float *partial) {
		if (!partial) return;
		base = reinterpret_cast<E *>(partial + (static_cast<index_t>(blockIdx.z) * gridDim.y + blockIdx.y) * m * n);
		rows.make_dense(n);
		bias = nullptr;
		residual = nullptr;
		act = identity;
		flags = (flags & ~add_to_result) | float_result;
	}

	__device__ __forceinline__ bool floats() const { return std::is_same<E, float>::value || flags & float_result; }

	__device__ __forceinline__ float read(const E *p, index_t at) const {
		if (floats()) return reinterpret_cast<const float *>(p)[at];
		return to_float(reinterpret_cast<const bf16 *>(p)[at]);
	}

	__device__ __forceinline__ void store_element(index_t at, int column, float v) const {
		if (flags & add_to_result) v += read(base, at);
		if (bias) v += bias[column];
		if (residual) v += read(residual, at);
		v = activate(act, v);
		if (floats())
			reinterpret_cast<float *>(base)[at] = v;
		else
			reinterpret_cast<bf16 *>(base)[at] = to_bf16(v);
	}

	__device__ __forceinline__ float4 read4(const E *p, index_t at) const {
		if (floats()) return load4(reinterpret_cast<const float *>(p) + at);
		const uint2 pairs = load_vector<uint2>(p + at);
		return make_float4(low_bf16(pairs.x), high_bf16(pairs.x), low_bf16(pairs.y), high_bf16(pairs.y));
	}

	// store stores four neighbours of a row.
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
		if (flags & add_to_result) v = sum(v, read4(base, at));
		if (bias) v = sum(v, load4(bias + column));
		if (residual) v = sum(v, read4(residual, at));
		v = activate(act, v);
		if (floats())
			store4(reinterpret_cast<float *>(base) + at, v);
		else
			store_vector(base + at, make_uint2(pack_bf16(v.x, v.y), pack_bf16(v.z, v.w)));
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
