// The main loop of matrix products and convolutions on tensor cores: tf32 where operands are floats, bf16 where they are bf16, with sums in float32.
// See operand.cuh for what it multiplies.
//
// Both types look alike in bytes. A stage is 64 bytes of the depth, 16 floats or 32 bf16, and one step of the matrix product 32 of them. Stages
// come to shared memory by asynchronous copies, into a ring of 3 or 4, so that two or three are under way while one is multiplied. Shared memory is handled in
// words of 16 bytes, whose order is permuted (an exclusive or with the row's number) such that the eight words of a matrix load, and of a store, lie in different
// banks.
#pragma once

#include <type_traits>

#include "operand.cuh"
#include "tensor.cuh"

// A TensorTile is the part of D that one block computes, M by N, in parts of WM by WN for each warp.
template <int M, int N, int WM, int WN> struct TensorTile {
	static constexpr int m = M, n = N, wm = WM, wn = WN;
	static constexpr int warps_m = M / WM, warps_n = N / WN, threads = 32 * warps_m * warps_n;
	static_assert(M == WM * warps_m && N == WN * warps_n && WM % 16 == 0 && WN % 16 == 0, "whole warps of fragments of 16 rows");
};

// See the cost model in package gpu. The last number bounds the registers: so many blocks fit into a multiprocessor.
#define FOR_EACH_TENSOR_TILE(define, ...)             \
	define(128x128, 128, 128, 64, 32, 2, __VA_ARGS__) \
	define(128x64, 128, 64, 64, 32, 3, __VA_ARGS__)   \
	define(128x32, 128, 32, 32, 32, 5, __VA_ARGS__)   \
	define(64x64, 64, 64, 32, 32, 5, __VA_ARGS__)

constexpr int word_bytes = 16, stage_bytes = 64; // of the depth

// A Slab is the part of a stage that one operand fills: Rows rows. Words lie along the depth, four in each row, or along the rows, for each depth.
template <int Rows, int Threads, class Operand> struct Slab {
	typedef typename Operand::Element Element;
	static constexpr bool along_depth = Operand::along_depth;
	static constexpr int bytes = Rows * stage_bytes, per_word = word_bytes / sizeof(Element), depth = stage_bytes / sizeof(Element);
	static constexpr int across = along_depth ? stage_bytes / word_bytes : Rows / per_word; // words in a line: a row, or a depth
	static constexpr int words = Rows * (stage_bytes / word_bytes) / Threads, step = Threads / across; // lines between the words of one thread
	static_assert(words * Threads * word_bytes == bytes && step * across == Threads, "the threads share the stage evenly");
	static constexpr int line_bytes = across * word_bytes;
	static_assert(across == 4 || across % 8 == 0, "lines of 64 bytes, or of whole rounds of the banks");
	static_assert(step % (!along_depth && sizeof(Element) == 4 ? 4 : 8) == 0, "the words of a thread are permuted alike");

	// at returns the offset of a word. Fragments of floats along the rows are read by 4 lines at once, 32 bytes of each; all other words by 8 lines.
	static __device__ __forceinline__ int at(int line, int word) {
		const int turn = across == 4 ? line / 2 % 4 : !along_depth && sizeof(Element) == 4 ? line % 4 * 2 : line % 8;
		return line * line_bytes + (word ^ turn) * word_bytes;
	}

	static __device__ __forceinline__ int word() { return threadIdx.x % across; } // of this thread
	static __device__ __forceinline__ int line() { return threadIdx.x / across; } // its first

	// copy starts to copy depths k to k + depth, in pieces of Bytes.
	template <int Bytes> static __device__ __forceinline__ void copy(unsigned char *slab, const Operand &op, const Coordinate *rows, int k) {
		constexpr int piece = Bytes / sizeof(Element);
		unsigned char *to = slab + at(line(), word()); // its first word, the others follow in equal distances
#pragma unroll 1
		for (int e = 0; e < per_word; e += piece) {
			const int from = word() * per_word + e;
			if (along_depth) {
				const Coordinate d = op.depth(k + from);
#pragma unroll
				for (int i = 0; i < words; i++) {
					const Coordinate r = rows[line() + i * step];
					copy_async<Bytes>(to + i * (step * line_bytes) + e * sizeof(Element), op.base + (r.offset + d.offset), op.inside(r, d));
				}
			} else {
				const Coordinate r = rows[from];
#pragma unroll
				for (int i = 0; i < words; i++) {
					const Coordinate d = op.depth(k + line() + i * step);
					copy_async<Bytes>(to + i * (step * line_bytes) + e * sizeof(Element), op.base + (r.offset + d.offset), op.inside(r, d));
				}
			}
		}
	}

	// gather does the same for single bf16, which are less than the smallest asynchronous copy. It is for the first layers of small networks, and not unrolled,
	// so that it costs the other paths no registers.
	static __device__ __forceinline__ void gather(unsigned char *slab, const Operand &op, const Coordinate *rows, int k) {
#pragma unroll 1
		for (int i = 0; i < 4 * words; i++) {
			const int l = line() + i / 4 * step, first = word() * per_word + i % 4 * 2;
			uint32_t pair = 0;
#pragma unroll
			for (int e = 0; e < 2; e++) {
				const Coordinate r = rows[along_depth ? l : first + e], d = op.depth(k + (along_depth ? first + e : l));
				if (op.inside(r, d)) pair |= bits(op.base + (r.offset + d.offset)) << 16 * e;
			}
			*reinterpret_cast<uint32_t *>(slab + at(l, word()) + i % 4 * 4) = pair;
		}
	}

	static __device__ __forceinline__ uint32_t bits(const bf16 *p) { return p->bits; }

	// fetch starts to bring depths k to k + depth. rows (Rows) are the coordinates of the tile's rows.
	static __device__ __forceinline__ void fetch(unsigned char *slab, const Operand &op, const Coordinate *rows, int k) {
		if (op.word == 16) return copy<16>(slab, op, rows, k);
		if constexpr (sizeof(Element) == 4) {
			copy<4>(slab, op, rows, k);
		} else {
			if (op.word == 8) return copy<8>(slab, op, rows, k);
			gather(slab, op, rows, k);
		}
	}
};

// Fragments reads what one warp multiplies: R rows of a slab, from a multiple of R on, 16 of them at a time. Where they lie in a slab is the same in every
// stage, and worked out before the first: the permutation would otherwise cost more instructions than the products.
// OfB says that they are fragments of B, two of 8 rows in place of one of 16: (f[0], f[1]) and (f[2], f[3]), neighbours as mma wants them.
template <class Slab, int R, bool OfB> struct Fragments {
	static constexpr bool floats = sizeof(typename Slab::Element) == 4;
	// Words along the depth: a place for each of the two steps of a stage, others follow in equal distances. Along the rows the steps do, and there is
	// a place for every 16 rows, or, as ldmatrix transposes elements of 16 bits only, for both halves of the first 32.
	static constexpr int places = Slab::along_depth ? 2 : floats ? (R / 16 < 2 ? 2 : 4) : R / 16;
	int place[places];

	__device__ __forceinline__ explicit Fragments(int row) {
		const int lane = threadIdx.x % 32, low = lane / 8 % 2, high = lane / 16; // of the number of the matrix whose line the lane reads
		const int upper = OfB ? high : low, later = OfB ? low : high;            // is it in the upper 8 rows, in the later half of the depth
#pragma unroll
		for (int i = 0; i < places; i++) {
			if (Slab::along_depth)
				place[i] = Slab::at(row + upper * 8 + lane % 8, i * 2 + later);
			else if (!floats)
				place[i] = Slab::at(later * 8 + lane % 8, row / 8 + i * 2 + upper);
			else
				place[i] = Slab::at(lane % 4, (row + i * 8 + lane / 4) / 4) + lane / 4 % 4 * 4;
			keep(place[i]);
		}
	}

	// read gives the 16 rows number i in one step of the product.
	__device__ __forceinline__ void read(uint32_t (&f)[4], const unsigned char *slab, int i, int step) const {
		if constexpr (Slab::along_depth) {
			load_matrix(f, slab + place[step] + i * (16 * Slab::line_bytes));
		} else if constexpr (!floats) {
			load_matrix_transposed(f, slab + place[i] + step * (16 * Slab::line_bytes));
		} else {
#pragma unroll
			for (int j = 0; j < 4; j++) {
				const int upper = OfB ? j / 2 : j % 2, later = OfB ? j % 2 : j / 2;
				const int at = place[i % 2 * 2 + upper] + i / 2 * (32 * 4) + (step * 8 + later * 4) * Slab::line_bytes;
				f[j] = *reinterpret_cast<const uint32_t *>(slab + at);
			}
		}
		if constexpr (floats) {
#pragma unroll
			for (int j = 0; j < 4; j++) f[j] = to_tf32(__uint_as_float(f[j]));
		}
	}
};

DEVICE void multiply_add(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], float) { mma_tf32(d, a, b); }
DEVICE void multiply_add(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], bf16) { mma_bf16(d, a, b); }

// multiply adds the product of one stage to the part of D that this warp holds.
template <class T, class SlabA, class SlabB>
DEVICE void multiply(float (&sum)[T::wm / 16][T::wn / 8][4], const unsigned char *a, const unsigned char *b, const Fragments<SlabA, T::wm, false> &of_a,
					 const Fragments<SlabB, T::wn, true> &of_b) {
#pragma unroll
	for (int s = 0; s < 2; s++) {
		uint32_t fa[T::wm / 16][4], fb[T::wn / 16][4];
#pragma unroll
		for (int i = 0; i < T::wm / 16; i++) of_a.read(fa[i], a, i, s);
#pragma unroll
		for (int j = 0; j < T::wn / 16; j++) of_b.read(fb[j], b, j, s);
#pragma unroll
		for (int i = 0; i < T::wm / 16; i++) {
#pragma unroll
			for (int j = 0; j < T::wn / 8; j++) {
				const uint32_t pair[2] = {fb[j / 2][j % 2 * 2], fb[j / 2][j % 2 * 2 + 1]};
				multiply_add(sum[i][j], fa[i], pair, typename SlabA::Element());
			}
		}
	}
}

// four gives a lane four neighbours of a row of 16 columns. mma leaves it with two of the first 8 columns and two of the others; lanes exchange them in
// pairs, so that the even one has columns of the first 8, the odd one of the others.
DEVICE float4 four(float first0, float first1, float other0, float other1) {
	const bool odd = threadIdx.x % 2 != 0;
	const float u = __shfl_xor_sync(all_lanes, odd ? first0 : other0, 1), v = __shfl_xor_sync(all_lanes, odd ? first1 : other1, 1);
	return odd ? make_float4(u, v, other0, other1) : make_float4(first0, first1, u, v);
}

// product computes a tile over the depths of its place and hands it to the result, four neighbours of a row at a time. All threads of the block take
// part; the first depth is a multiple of a stage's. The block has (M + N)·(sizeof(Coordinate) + stages·stage_bytes) bytes of dynamic shared memory.
template <int M, int N, int WM, int WN, class A, class B, class Result>
DEVICE void product(TensorTile<M, N, WM, WN>, const A &a, const B &b, const Result &result, const Place &p, int stages) {
	typedef TensorTile<M, N, WM, WN> T;
	typedef Slab<M, T::threads, A> SlabA;
	typedef Slab<N, T::threads, B> SlabB;
	static_assert(std::is_same<typename A::Element, typename B::Element>::value, "operands of one type");
	constexpr int ring_step = SlabA::bytes + SlabB::bytes;
	DYNAMIC_SHARED(unsigned char, memory);
	Coordinate *rows = reinterpret_cast<Coordinate *>(memory);
	unsigned char *ring = memory + (M + N) * sizeof(Coordinate);
	for (int i = threadIdx.x; i < M; i += T::threads) rows[i] = a.row(p.m0 + i);
	for (int i = threadIdx.x; i < N; i += T::threads) rows[M + i] = b.row(p.n0 + i);
	__syncthreads();

	const int warp = threadIdx.x / 32, row = warp / T::warps_n * WM, column = warp % T::warps_n * WN;
	const Fragments<SlabA, WM, false> of_a(row);
	const Fragments<SlabB, WN, true> of_b(column);
	float sum[WM / 16][WN / 8][4] = {};
	int next = p.first, write = 0, read = 0; // the depth to be fetched, and stages of the ring
	const auto fetch = [&]() {
		if (next < p.last) {
			unsigned char *stage = ring + write * ring_step;
			SlabA::fetch(stage, a, rows, next);
			SlabB::fetch(stage + SlabA::bytes, b, rows + M, next);
		}
		commit_async(); // an empty group at the end, so that the number of those under way stays the same
		next += SlabA::depth;
		write = write + 1 == stages ? 0 : write + 1;
	};
#pragma unroll 1
	for (int s = 0; s < stages - 1; s++) fetch();
#pragma unroll 1
	for (int k = p.first; k < p.last; k += SlabA::depth) {
		if (stages == 4)
			wait_async<2>();
		else
			wait_async<1>();
		__syncthreads(); // the stage to be read is there, and the one to be written has been read
		fetch();
		const unsigned char *stage = ring + read * ring_step;
		multiply<T, SlabA, SlabB>(sum, stage, stage + SlabA::bytes, of_a, of_b);
		read = read + 1 == stages ? 0 : read + 1;
	}

	const int lane = threadIdx.x % 32;
#pragma unroll
	for (int i = 0; i < WM / 16; i++) {
#pragma unroll
		for (int j = 0; j < WN / 8; j += 2) {
#pragma unroll
			for (int half = 0; half < 2; half++) {
				const float4 v = four(sum[i][j][2 * half], sum[i][j][2 * half + 1], sum[i][j + 1][2 * half], sum[i][j + 1][2 * half + 1]);
				result.store(p.m0 + row + 16 * i + 8 * half + lane / 4, p.n0 + column + 8 * j + lane % 2 * 8 + lane % 4 / 2 * 4, v);
			}
		}
	}
}
