// Kernels that compute each element on its own: they are bound by memory bandwidth, so every thread moves 16 bytes at a time. The kernels
// named x4 need operands at multiples of 16 bytes; they treat the last n%4 elements one by one. Operands may be the same memory, as
// each thread reads what it writes: none of the pointers is restrict.

#include "activation.cuh"
#include "philox.cuh"

constexpr int threads = 256;

// for_each_x4 calls vector(i) for each multiple i of 4 with i+4 <= n and scalar(i) for the rest.
template <class Vector, class Scalar> DEVICE void for_each_x4(index_t n, Vector vector, Scalar scalar) {
	const index_t whole = n / 4;
	for (index_t v = grid_thread(); v < whole; v += grid_threads()) vector(4 * v);
	const index_t i = 4 * whole + grid_thread();
	if (i < n) scalar(i);
}

template <class Scalar> DEVICE void for_each(index_t n, Scalar scalar) {
	for (index_t i = grid_thread(); i < n; i += grid_threads()) scalar(i);
}

DEVICE float4 add(float4 a, float4 b) { return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w); }

// Y[i] = value.
EXPORT_KERNEL(fill_f32_x4, threads, 4, (float *y, index_t n, float value)) {
	for_each_x4(
		n, [&](index_t i) { store4(y + i, make_float4(value, value, value, value)); }, [&](index_t i) { y[i] = value; });
}

EXPORT_KERNEL(fill_f32, threads, 4, (float *y, index_t n, float value)) {
	for_each(n, [&](index_t i) { y[i] = value; });
}

// Y[i] = act(X[i]).
EXPORT_KERNEL(act_forward_f32_x4, threads, 4, (float *y, const float *x, index_t n, int act)) {
	for_each_x4(
		n, [&](index_t i) { store4(y + i, activate(act, load4(x + i))); }, [&](index_t i) { y[i] = activate(act, x[i]); });
}

EXPORT_KERNEL(act_forward_f32, threads, 4, (float *y, const float *x, index_t n, int act)) {
	for_each(n, [&](index_t i) { y[i] = activate(act, x[i]); });
}

// DX[i] (+)= DY[i]·act'(x), from the output Y[i].
EXPORT_KERNEL(act_backward_f32_x4, threads, 4, (float *dx, const float *dy, const float *y, index_t n, int act, int accumulate)) {
	for_each_x4(
		n,
		[&](index_t i) {
			const float4 d = slope(act, load4(dy + i), load4(y + i));
			store4(dx + i, accumulate ? add(load4(dx + i), d) : d);
		},
		[&](index_t i) {
			const float d = slope(act, dy[i], y[i]);
			dx[i] = accumulate ? dx[i] + d : d;
		});
}

EXPORT_KERNEL(act_backward_f32, threads, 4, (float *dx, const float *dy, const float *y, index_t n, int act, int accumulate)) {
	for_each(n, [&](index_t i) {
		const float d = slope(act, dy[i], y[i]);
		dx[i] = accumulate ? dx[i] + d : d;
	});
}

// Y[i] = act(A[i] + B[i]).
EXPORT_KERNEL(add_f32_x4, threads, 4, (float *y, const float *a, const float *b, index_t n, int act)) {
	for_each_x4(
		n, [&](index_t i) { store4(y + i, activate(act, add(load4(a + i), load4(b + i)))); },
		[&](index_t i) { y[i] = activate(act, a[i] + b[i]); });
}

EXPORT_KERNEL(add_f32, threads, 4, (float *y, const float *a, const float *b, index_t n, int act)) {
	for_each(n, [&](index_t i) { y[i] = activate(act, a[i] + b[i]); });
}

// DST[r, c] (+)= SRC[r, c] for a block of (rows, columns) in two matrices whose rows are `to` and `from` elements apart. `lanes` threads, a power of two,
// share a row, and blockIdx.y cuts long rows: no index needs a division. In x4, columns, strides and addresses are multiples of 4 elements.
template <int Width, class Move>
DEVICE void for_each_in_block(index_t rows, index_t columns, int lanes, Move move) {
	const int lane = threadIdx.x % lanes, height = threads / lanes;
	const index_t first = static_cast<index_t>(blockIdx.y) * lanes + lane, step = static_cast<index_t>(gridDim.y) * lanes;
	for (index_t r = static_cast<index_t>(blockIdx.x) * height + threadIdx.x / lanes; r < rows; r += static_cast<index_t>(gridDim.x) * height)
		for (index_t c = Width * first; c < columns; c += Width * step) move(r, c);
}

EXPORT_KERNEL(copy_f32_x4, threads, 4,
			  (float *dst, const float *src, index_t rows, index_t columns, index_t to, index_t from, int lanes, int accumulate)) {
	for_each_in_block<4>(rows, columns, lanes, [&](index_t r, index_t c) {
		float *const d = dst + r * to + c;
		const float4 s = load4(src + r * from + c);
		store4(d, accumulate ? add(load4(d), s) : s);
	});
}

EXPORT_KERNEL(copy_f32, threads, 4,
			  (float *dst, const float *src, index_t rows, index_t columns, index_t to, index_t from, int lanes, int accumulate)) {
	for_each_in_block<1>(rows, columns, lanes, [&](index_t r, index_t c) {
		float *const d = dst + r * to + c;
		const float s = src[r * from + c];
		*d = accumulate ? *d + s : s;
	});
}

// Y[i] (+)= X[i]·keep(i)·scale. Element i is kept if word i%4 of the Philox block with counter (i/4, step, layer, 0) is at least threshold; the
// step is hyper[0]. One thread computes the four elements of a block.
EXPORT_KERNEL(dropout_f32, threads, 4,
			  (float *y, const float *x, index_t n, const uint32_t *hyper, uint32_t key0, uint32_t key1, uint32_t layer, uint32_t threshold,
			   float scale, int accumulate, int vector)) {
	const uint32_t step = hyper[0];
	for_each((n + 3) / 4, [&](index_t block) {
		const uint4 words = philox(make_uint2(key0, key1), make_uint4(static_cast<uint32_t>(block), step, layer, 0));
		const index_t i = 4 * block;
		const float keep0 = words.x >= threshold ? scale : 0.0f, keep1 = words.y >= threshold ? scale : 0.0f;
		const float keep2 = words.z >= threshold ? scale : 0.0f, keep3 = words.w >= threshold ? scale : 0.0f;
		// A dropped NaN or infinity is zero: it must not be multiplied.
		const auto drop = [](float v, float keep) { return keep != 0 ? v * keep : 0.0f; };
		if (vector && i + 4 <= n) {
			const float4 v = load4(x + i);
			const float4 d = make_float4(drop(v.x, keep0), drop(v.y, keep1), drop(v.z, keep2), drop(v.w, keep3));
			store4(y + i, accumulate ? add(load4(y + i), d) : d);
			return;
		}
		const float keep[4] = {keep0, keep1, keep2, keep3};
#pragma unroll
		for (int j = 0; j < 4; j++) {
			if (i + j < n) {
				const float d = drop(x[i + j], keep[j]);
				y[i + j] = accumulate ? y[i + j] + d : d;
			}
		}
	});
}
