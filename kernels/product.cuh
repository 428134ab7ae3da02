// The main loop of matrix products and convolutions in exact float32; see operand.cuh for what it multiplies.
#pragma once

#include "operand.cuh"

// The depth of one stage of shared memory.
constexpr int stage_depth = 16;

// A Tile is the part of D that one block computes, M by N, in parts of RM by RN for each thread. A warp is 4 by 8 threads; the part of
// a thread consists of 4x4 pieces, 16 rows and 32 columns apart, so that the 16-byte words that a warp reads from shared memory lie side by side.
template <int M, int N, int RM, int RN> struct Tile {
	static constexpr int m = M, n = N, rm = RM, rn = RN;
	static constexpr int warps_m = M / (4 * RM), warps_n = N / (8 * RN), threads = 32 * warps_m * warps_n;
	static_assert(M == 4 * RM * warps_m && N == 8 * RN * warps_n && RM % 4 == 0 && RN % 4 == 0, "whole warps of 4x4 pieces");
};

// The largest tile has two words of 16 bytes to load for 16 multiply-adds each, the smallest four; see the cost model in package gpu.
#define FOR_EACH_TILE(define)      \
	define(128x128, 128, 128, 8, 8, 2) \
	define(128x64, 128, 64, 8, 8, 4)   \
	define(128x32, 128, 32, 8, 4, 4)   \
	define(64x64, 64, 64, 8, 4, 4)     \
	define(32x32, 32, 32, 4, 4, 8)

// A Stage carries the rows of one operand from global memory through registers to shared memory, where they lie transposed to (depth, rows). The
// loads of a stage are under way while the one before it is multiplied.
template <int Rows, int Threads, class Operand> struct Stage {
	// Four floats beyond the rows: what a warp stores for an operand along the depth then meets in two banks instead of four.
	typedef float Shared[stage_depth][Rows + 4];
	static constexpr int words = Rows * stage_depth / (4 * Threads), per_row = Operand::along_depth ? stage_depth / 4 : Rows / 4;
	static constexpr int step = Threads / per_row; // rows or depths between the words of one thread
	static_assert(words * 4 * Threads == Rows * stage_depth && step * per_row == Threads, "the threads share the stage evenly");

	float held[words][4];

	static __device__ __forceinline__ int inner() { return threadIdx.x % per_row * 4; } // of a thread's first element
	static __device__ __forceinline__ int outer() { return threadIdx.x / per_row; }

	__device__ __forceinline__ void fetch_word(int i, const Operand &op, Coordinate row, Coordinate depth) {
		const float4 v = op.inside(row, depth) ? load4(op.base + (row.offset + depth.offset)) : make_float4(0, 0, 0, 0);
		held[i][0] = v.x;
		held[i][1] = v.y;
		held[i][2] = v.z;
		held[i][3] = v.w;
	}

	__device__ __forceinline__ void fetch_element(int i, int e, const Operand &op, Coordinate row, Coordinate depth) {
		held[i][e] = op.inside(row, depth) ? op.base[row.offset + depth.offset] : 0.0f;
	}

	// fetch starts to load depths k to k + stage_depth. rows (Rows) are the coordinates of the tile's rows.
	__device__ __forceinline__ void fetch(const Operand &op, const Coordinate *rows, int k) {
		if (Operand::along_depth) {
			k += inner();
			if (op.word == 16) {
				const Coordinate depth = op.depth(k);
UNROLL
				for (int i = 0; i < words; i++) fetch_word(i, op, rows[outer() + i * step], depth);
				return;
			}
UNROLL
			for (int e = 0; e < 4; e++) {
				const Coordinate depth = op.depth(k + e);
UNROLL
				for (int i = 0; i < words; i++) fetch_element(i, e, op, rows[outer() + i * step], depth);
			}
			return;
		}
		k += outer();
UNROLL
		for (int i = 0; i < words; i++) {
			const Coordinate depth = op.depth(k + i * step);
			if (op.word == 16) {
				fetch_word(i, op, rows[inner()], depth);
				continue;
			}
UNROLL
			for (int e = 0; e < 4; e++) fetch_element(i, e, op, rows[inner() + e], depth);
		}
	}

	__device__ __forceinline__ void store(Shared &s) const {
UNROLL
		for (int i = 0; i < words; i++) {
			if (Operand::along_depth) {
UNROLL
				for (int e = 0; e < 4; e++) s[inner() + e][outer() + i * step] = held[i][e];
			} else {
				store4(&s[outer() + i * step][inner()], make_float4(held[i][0], held[i][1], held[i][2], held[i][3]));
			}
		}
	}
};

// fragment reads R values of a thread at one depth: 4 from each piece.
template <int R, int Apart> DEVICE void fragment(float (&v)[R], const float *row) {
UNROLL
	for (int i = 0; i < R; i += 4) {
		const float4 w = load4(row + i / 4 * Apart);
		v[i] = w.x;
		v[i + 1] = w.y;
		v[i + 2] = w.z;
		v[i + 3] = w.w;
	}
}

// The first row and column of this thread's part of the tile.
template <class T> DEVICE int thread_row() { return threadIdx.x / 32 / T::warps_n * (4 * T::rm) + threadIdx.x % 32 / 8 * 4; }
template <class T> DEVICE int thread_column() { return threadIdx.x / 32 % T::warps_n * (8 * T::rn) + threadIdx.x % 8 * 4; }

// multiply adds the product of one stage to the part of D that this thread holds.
template <class T, class SA, class SB> DEVICE void multiply(float (&sum)[T::rm][T::rn], const SA &a, const SB &b) {
	const int row = thread_row<T>(), column = thread_column<T>();
#pragma unroll
	for (int k = 0; k < stage_depth; k++) {
		float u[T::rm], v[T::rn];
		fragment<T::rm, 16>(u, &a[k][row]);
		fragment<T::rn, 32>(v, &b[k][column]);
UNROLL
		for (int i = 0; i < T::rm; i++)
UNROLL
			for (int j = 0; j < T::rn; j++) sum[i][j] += u[i] * v[j];
	}
}

// product computes a tile over the depths of its place and hands it to the result, four neighbours of a row at a time. All threads of
// the block take part; the first depth is a multiple of stage_depth.
template <int M, int N, int RM, int RN, class A, class B, class Result>
DEVICE void product(Tile<M, N, RM, RN>, const A &a, const B &b, const Result &result, const Place &p) {
	typedef Tile<M, N, RM, RN> T;
	typedef Stage<T::m, T::threads, A> StageA;
	typedef Stage<T::n, T::threads, B> StageB;
	SHARED(typename StageA::Shared, stage_a, [2]);
	SHARED(typename StageB::Shared, stage_b, [2]);
	SHARED(Coordinate, rows, [T::m + T::n]);
	for (int i = threadIdx.x; i < T::m; i += T::threads) rows[i] = a.row(p.m0 + i);
	for (int i = threadIdx.x; i < T::n; i += T::threads) rows[T::m + i] = b.row(p.n0 + i);
	__syncthreads();

	float sum[T::rm][T::rn] = {};
	StageA load_a;
	StageB load_b;
	if (p.first < p.last) {
		load_a.fetch(a, rows, p.first);
		load_b.fetch(b, rows + T::m, p.first);
		load_a.store(stage_a[0]);
		load_b.store(stage_b[0]);
	}
	__syncthreads();
	int now = 0;
	for (int k = p.first; k < p.last; k += stage_depth, now ^= 1) {
		const bool more = k + stage_depth < p.last;
		if (more) {
			load_a.fetch(a, rows, k + stage_depth);
			load_b.fetch(b, rows + T::m, k + stage_depth);
		}
		multiply<T>(sum, stage_a[now], stage_b[now]);
		if (more) {
			load_a.store(stage_a[now ^ 1]);
			load_b.store(stage_b[now ^ 1]);
		}
		__syncthreads();
	}

	const int row = p.m0 + thread_row<T>(), column = p.n0 + thread_column<T>();
UNROLL
	for (int i = 0; i < T::rm; i++)
UNROLL
		for (int j = 0; j < T::rn; j += 4)
			result.store(row + i / 4 * 16 + i % 4, column + j / 4 * 32, make_float4(sum[i][j], sum[i][j + 1], sum[i][j + 2], sum[i][j + 3]));
}
