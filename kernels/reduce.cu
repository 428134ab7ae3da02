// Sums over many elements, in an order that the geometry alone fixes: each block leaves a partial sum in the workspace, and one more
// launch adds these up. There are no atomics, so that the same input gives the same bits.

#include "vector.cuh"

constexpr int threads = 256;

// partial[b] = the sum of x[i]² over the elements that block b visits. In float64: squares of float32 neither overflow nor vanish there, and one
// double-precision multiply-add per 4 bytes read keeps up with memory even where such units are few.
EXPORT_KERNEL(sum_squares_f32, threads, 2, (double *partial, const float *__restrict__ x, index_t n, int vector)) {
	double sum = 0;
	index_t done = 0;
	if (vector) {
		done = n / 4 * 4;
		for (index_t i = 4 * grid_thread(); i < done; i += 4 * grid_threads()) {
			const float4 v = load4(x + i);
			sum += static_cast<double>(v.x) * v.x + static_cast<double>(v.y) * v.y;
			sum += static_cast<double>(v.z) * v.z + static_cast<double>(v.w) * v.w;
		}
	}
	for (index_t i = done + grid_thread(); i < n; i += grid_threads()) sum += static_cast<double>(x[i]) * x[i];
	sum = block_sum<threads>(sum);
	if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// y[0] = sqrt(sum of partial[0..parts)). One block.
EXPORT_KERNEL(root_of_sum_f64, threads, 2, (float *y, const double *__restrict__ partial, int parts)) {
	double sum = 0;
	for (int i = threadIdx.x; i < parts; i += threads) sum += partial[i];
	sum = block_sum<threads>(sum);
	if (threadIdx.x == 0) y[0] = static_cast<float>(sqrt(sum));
}

// partial[part, c] = the sum of column c over the rows of one part; x is (rows, columns). A block covers `width` columns, a power of two up
// to 32, so that a warp reads whole lines of memory even where there are few columns; its threads divide the rows among them.
//
// The grid is (blocks of columns, parts). Each thread adds up at most some hundred values in float32; everything above is float64.
template <class T> DEVICE void column_sums(double *partial, const T *x, index_t rows, index_t columns, index_t rows_per_part, int width) {
	SHARED(double, sums, [threads]);
	const int thread = threadIdx.x, lane = thread % width, row_lane = thread / width, row_lanes = threads / width;
	const index_t c = static_cast<index_t>(blockIdx.x) * width + lane;
	const index_t first = blockIdx.y * rows_per_part, last = min(first + rows_per_part, rows);
	double total = 0;
	if (c < columns) {
		float sum = 0;
		int terms = 0;
		for (index_t r = first + row_lane; r < last; r += row_lanes) {
			sum += load(x + r * columns + c);
			if (++terms == 128) {
				total += sum;
				sum = 0;
				terms = 0;
			}
		}
		total += sum;
	}
	sums[thread] = total;
	for (int half = threads / 2; half >= width; half /= 2) {
		__syncthreads();
		if (thread < half) sums[thread] += sums[thread + half];
	}
	if (thread < width && c < columns) partial[blockIdx.y * columns + c] = sums[thread];
}

#define COLUMN_SUMS(suffix, T)                                                                                                      \
	EXPORT_KERNEL(column_sums##suffix, threads, 4,                                                                                  \
				  (double *partial, const T *__restrict__ x, index_t rows, index_t columns, index_t rows_per_part, int width)) {    \
		column_sums(partial, x, rows, columns, rows_per_part, width);                                                               \
	}
FOR_EACH_TYPE(COLUMN_SUMS)

// y[c] (+)= the sum of partial[0..parts, c].
EXPORT_KERNEL(add_parts_f64, threads, 4, (float *y, const double *__restrict__ partial, index_t columns, int parts, int accumulate)) {
	for (index_t c = grid_thread(); c < columns; c += grid_threads()) {
		double sum = 0;
		for (int p = 0; p < parts; p++) sum += partial[p * columns + c];
		y[c] = static_cast<float>(accumulate ? y[c] + sum : sum);
	}
}
