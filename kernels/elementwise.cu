// Kernels that compute each element on its own: they are bound by memory bandwidth, so every thread moves 16 bytes at a time. The kernels
// named x4 and x8 need operands at multiples of 16 bytes; they treat the elements behind the last whole vector one by one. Operands may be the same
// memory, as each thread reads what it writes: none of the pointers is restrict.

#include "activation.cuh"
#include "philox.cuh"
#include "vector.cuh"

constexpr int threads = 256;

// A number of elements that is part of a type.
template <int N> struct Count {
	static constexpr int value = N;
};

// for_each calls move(Count<Width>, i) for each multiple i of Width with i+Width <= n and move(Count<1>, i) for the rest.
template <int Width, class Move> DEVICE void for_each(index_t n, Move move) {
	const index_t whole = n / Width;
	for (index_t v = grid_thread(); v < whole; v += grid_threads()) move(Count<Width>{}, Width * v);
	if constexpr (Width > 1) {
		const index_t i = Width * whole + grid_thread();
		if (i < n) move(Count<1>{}, i);
	}
}

// Y[i] = value.
template <int Width, class T> DEVICE void fill(T *y, index_t n, float value) {
	for_each<Width>(n, [&](auto width, index_t i) {
		constexpr int W = decltype(width)::value;
		store<W>(y + i, each<W>([&](int) { return value; }));
	});
}

#define FILL(suffix, T, Width, blocks) \
	EXPORT_KERNEL(fill##suffix, threads, blocks, (T *y, index_t n, float value)) { fill<Width>(y, n, value); }
FOR_EACH_STORAGE(FILL)

// Y[i] = act(X[i]).
template <int Width, class T> DEVICE void act_forward(T *y, const T *x, index_t n, int act) {
	for_each<Width>(n, [&](auto width, index_t i) {
		constexpr int W = decltype(width)::value;
		const Vector<W> v = load<W>(x + i);
		store<W>(y + i, each<W>([&](int k) { return activate(act, v.v[k]); }));
	});
}

#define ACT_FORWARD(suffix, T, Width, blocks) \
	EXPORT_KERNEL(act_forward##suffix, threads, blocks, (T *y, const T *x, index_t n, int act)) { act_forward<Width>(y, x, n, act); }
FOR_EACH_STORAGE(ACT_FORWARD)

// DX[i] (+)= DY[i]·act'(x), from the output Y[i].
template <int Width, class T> DEVICE void act_backward(T *dx, const T *dy, const T *y, index_t n, int act, int accumulate) {
	for_each<Width>(n, [&](auto width, index_t i) {
		constexpr int W = decltype(width)::value;
		const Vector<W> d = load<W>(dy + i), v = load<W>(y + i);
		put<W>(dx + i, each<W>([&](int k) { return slope(act, d.v[k], v.v[k]); }), accumulate);
	});
}

#define ACT_BACKWARD(suffix, T, Width, blocks)                                                                                      \
	EXPORT_KERNEL(act_backward##suffix, threads, blocks, (T *dx, const T *dy, const T *y, index_t n, int act, int accumulate)) {    \
		act_backward<Width>(dx, dy, y, n, act, accumulate);                                                                         \
	}
FOR_EACH_STORAGE(ACT_BACKWARD)

// Y[i] = act(A[i] + B[i]).
template <int Width, class T> DEVICE void add(T *y, const T *a, const T *b, index_t n, int act) {
	for_each<Width>(n, [&](auto width, index_t i) {
		constexpr int W = decltype(width)::value;
		const Vector<W> u = load<W>(a + i), v = load<W>(b + i);
		store<W>(y + i, each<W>([&](int k) { return activate(act, u.v[k] + v.v[k]); }));
	});
}

#define ADD(suffix, T, Width, blocks) \
	EXPORT_KERNEL(add##suffix, threads, blocks, (T *y, const T *a, const T *b, index_t n, int act)) { add<Width>(y, a, b, n, act); }
FOR_EACH_STORAGE(ADD)

// Y[i] = X[i] in another type.
template <int Width, class To, class From> DEVICE void cast(To *y, const From *x, index_t n) {
	for_each<Width>(n, [&](auto width, index_t i) {
		constexpr int W = decltype(width)::value;
		store<W>(y + i, load<W>(x + i));
	});
}

EXPORT_KERNEL(cast_bf16, threads, 4, (bf16 *y, const float *x, index_t n)) { cast<1>(y, x, n); }
EXPORT_KERNEL(cast_bf16_x8, threads, 4, (bf16 *y, const float *x, index_t n)) { cast<8>(y, x, n); }
EXPORT_KERNEL(cast_f32, threads, 4, (float *y, const bf16 *x, index_t n)) { cast<1>(y, x, n); }
EXPORT_KERNEL(cast_f32_x8, threads, 4, (float *y, const bf16 *x, index_t n)) { cast<8>(y, x, n); }

// DST[r, c] (+)= SRC[r, c] for a block of (rows, columns) in two matrices whose rows are `to` and `from` elements apart. `lanes` threads, a power of two,
// share a row, and blockIdx.y cuts long rows: no index needs a division. In vectors, columns, strides and addresses are whole ones.
template <int Width, class T>
DEVICE void copy(T *dst, const T *src, index_t rows, index_t columns, index_t to, index_t from, int lanes, int accumulate) {
	const int lane = threadIdx.x % lanes, height = threads / lanes;
	const index_t first = static_cast<index_t>(blockIdx.y) * lanes + lane, step = static_cast<index_t>(gridDim.y) * lanes;
	for (index_t r = static_cast<index_t>(blockIdx.x) * height + threadIdx.x / lanes; r < rows; r += static_cast<index_t>(gridDim.x) * height)
		for (index_t c = Width * first; c < columns; c += Width * step) put<Width>(dst + r * to + c, load<Width>(src + r * from + c), accumulate);
}

#define COPY(suffix, T, Width, blocks)                                                                                          \
	EXPORT_KERNEL(copy##suffix, threads, blocks,                                                                                \
				  (T *dst, const T *src, index_t rows, index_t columns, index_t to, index_t from, int lanes, int accumulate)) { \
		copy<Width>(dst, src, rows, columns, to, from, lanes, accumulate);                                                      \
	}
FOR_EACH_STORAGE(COPY)

// What dropout draws from: a Philox key, and the layer's and the step's part of the counter.
struct Draw {
	uint2 key;
	uint32_t step, layer, threshold;
	float scale;

	// The factors of the four elements of a block: scale, or 0 for a dropped one.
	__device__ __forceinline__ void keep(index_t block, float *factor) const {
		const uint4 words = philox(key, make_uint4(static_cast<uint32_t>(block), step, layer, 0));
		factor[0] = words.x >= threshold ? scale : 0.0f, factor[1] = words.y >= threshold ? scale : 0.0f;
		factor[2] = words.z >= threshold ? scale : 0.0f, factor[3] = words.w >= threshold ? scale : 0.0f;
	}
};

// Y[i] (+)= X[i]·keep(i)·scale. Element i is kept if word i%4 of the Philox block with counter (i/4, step, layer, 0) is at least threshold; the
// step is hyper[0]. One thread computes the elements of 16 bytes, which are those of one block or two.
template <class T>
DEVICE void dropout(T *y, const T *x, index_t n, const uint32_t *hyper, uint32_t key0, uint32_t key1, uint32_t layer, uint32_t threshold, float scale,
					int accumulate, int vector) {
	constexpr int width = 16 / sizeof(T);
	const Draw draw = {make_uint2(key0, key1), hyper[0], layer, threshold, scale};
	// A dropped NaN or infinity is zero: it must not be multiplied.
	const auto drop = [](float v, float keep) { return keep != 0 ? v * keep : 0.0f; };
	for (index_t i = width * grid_thread(); i < n; i += width * grid_threads()) {
		float keep[width];
#pragma unroll
		for (int k = 0; k < width; k += 4) draw.keep((i + k) / 4, keep + k);
		if (vector && i + width <= n) {
			const Vector<width> v = load<width>(x + i);
			put<width>(y + i, each<width>([&](int k) { return drop(v.v[k], keep[k]); }), accumulate);
			continue;
		}
#pragma unroll
		for (int k = 0; k < width; k++) {
			if (i + k < n) put<1>(y + i + k, Vector<1>{{drop(load(x + i + k), keep[k])}}, accumulate);
		}
	}
}

#define DROPOUT(suffix, T)                                                                                                                  \
	EXPORT_KERNEL(dropout##suffix, threads, 4,                                                                                              \
				  (T *y, const T *x, index_t n, const uint32_t *hyper, uint32_t key0, uint32_t key1, uint32_t layer, uint32_t threshold,    \
				   float scale, int accumulate, int vector)) {                                                                              \
		dropout(y, x, n, hyper, key0, key1, layer, threshold, scale, accumulate, vector);                                                   \
	}
FOR_EACH_TYPE(DROPOUT)
