// Softmax and its loss: one warp for each row of (rows, classes), 4 rows to a block. The sums are float64 and only their terms are float32: a loss
// near zero is the logarithm of a sum near one.

#include "vector.cuh"

constexpr int threads = 128;

// The row of this warp; it may lie behind the last.
DEVICE index_t warp_row() { return static_cast<index_t>(blockIdx.x) * (threads / 32) + threadIdx.x / 32; }

// row_max is the largest element of a row, in every lane; NaN if there is one.
template <class T> DEVICE float row_max(const T *x, int classes, int lane) {
	float top = load(x);
	for (int c = lane; c < classes; c += 32) top = max_nan(top, load(x + c));
	return warp_max_nan(top);
}

// Y[r, :] = exp(X[r, :] - max) / sum. Y may be X.
template <class T> DEVICE void softmax(T *y, const T *x, index_t rows, int classes) {
	const index_t r = warp_row();
	const int lane = threadIdx.x % 32;
	if (r >= rows) return;
	x += r * classes;
	y += r * classes;
	const float top = row_max(x, classes, lane);
	__syncwarp();
	double sum = 0;
	for (int c = lane; c < classes; c += 32) sum += expf(load(x + c) - top);
	const float scale = static_cast<float>(1 / warp_sum(sum));
	for (int c = lane; c < classes; c += 32) store(y + c, expf(load(x + c) - top) * scale);
}

#define SOFTMAX(suffix, T)  \
	EXPORT_KERNEL(softmax##suffix, threads, 4, (T *y, const T *x, index_t rows, int classes)) { softmax(y, x, rows, classes); }
FOR_EACH_TYPE(SOFTMAX)

// DX (+)= Y·(DY - sum(DY·Y)) for each row. DX may be DY.
template <class T> DEVICE void softmax_backward(T *dx, const T *y, const T *dy, index_t rows, int classes, int accumulate) {
	const index_t r = warp_row();
	const int lane = threadIdx.x % 32;
	if (r >= rows) return;
	y += r * classes;
	dy += r * classes;
	dx += r * classes;
	double dot = 0;
	for (int c = lane; c < classes; c += 32) dot += static_cast<double>(load(y + c)) * load(dy + c);
	dot = warp_sum(dot);
	for (int c = lane; c < classes; c += 32) {
		const double d = load(y + c) * (load(dy + c) - dot);
		store(dx + c, static_cast<float>(accumulate ? load(dx + c) + d : d));
	}
}

#define SOFTMAX_BACKWARD(suffix, T)                                                                                                     \
	EXPORT_KERNEL(softmax_backward##suffix, threads, 4, (T *dx, const T *y, const T *dy, index_t rows, int classes, int accumulate)) {  \
		softmax_backward(dx, y, dy, rows, classes, accumulate);                                                                         \
	}
FOR_EACH_TYPE(SOFTMAX_BACKWARD)

// A row as the launches of the cross-entropy pass it on: its loss, the log of its sum relative to its largest logit, and how many logits come
// before that of the target class, or -1 if the row does not count.
//
//	loss[r], log_sum[r]  float64     top[r]  float32     rank[r]  int32
//
// The target t' is (1-smoothing)·t + smoothing/classes; `smooth` is the first factor and `uniform` the last summand.
template <class T>
DEVICE void cross_entropy_rows(double *loss, double *log_sum, float *top_logit, int *rank, const T *logits, const float *targets, index_t rows,
							   int classes, float smooth, float uniform) {
	const index_t r = warp_row();
	const int lane = threadIdx.x % 32;
	if (r >= rows) return;
	logits += r * classes;
	targets += r * classes;

	float largest = targets[0];
	bool counts = false;
	for (int c = lane; c < classes; c += 32) {
		const float t = targets[c];
		counts = counts || t != 0;
		if (t > largest) largest = t;
	}
	if (!__any_sync(all_lanes, counts)) {
		if (lane == 0) {
			loss[r] = 0;
			rank[r] = -1;
		}
		return;
	}
#pragma unroll
	for (int m = 16; m > 0; m >>= 1) {
		const float other = __shfl_xor_sync(all_lanes, largest, m);
		if (other > largest) largest = other;
	}
	int target = classes;
	for (int c = lane; c < classes; c += 32) {
		if (targets[c] == largest) {
			target = c;
			break;
		}
	}
	target = warp_min(target);
	if (target == classes) target = 0; // no element equals a NaN

	const float top = row_max(logits, classes, lane), own = load(logits + target);
	double sum = 0;
	int before = 0;
	for (int c = lane; c < classes; c += 32) {
		const float v = load(logits + c);
		sum += expf(v - top);
		if ((c < target && !(v < own)) || (c > target && !(v <= own))) before++; // so that NaN comes before everything
	}
	const double log_of_sum = log(warp_sum(sum));
	before = warp_sum(before);

	double total = 0;
	for (int c = lane; c < classes; c += 32) {
		const double soft = static_cast<double>(smooth) * targets[c] + uniform;
		total -= soft * ((load(logits + c) - top) - log_of_sum);
	}
	total = warp_sum(total);
	if (lane == 0) {
		loss[r] = total;
		log_sum[r] = log_of_sum;
		top_logit[r] = top;
		rank[r] = before;
	}
}

#define CROSS_ENTROPY_ROWS(suffix, T)                                                                               \
	EXPORT_KERNEL(cross_entropy_rows##suffix, threads, 4,                                                           \
				  (double *loss, double *log_sum, float *top_logit, int *rank, const T *__restrict__ logits,        \
				   const float *__restrict__ targets, index_t rows, int classes, float smooth, float uniform)) {    \
		cross_entropy_rows(loss, log_sum, top_logit, rank, logits, targets, rows, classes, smooth, uniform);        \
	}
FOR_EACH_TYPE(CROSS_ENTROPY_ROWS)

// stats = {mean loss, top-1, top-5, rows} over the counted rows, as device.Stats. One block.
EXPORT_KERNEL(cross_entropy_stats, threads, 4,
			  (float *stats, const double *__restrict__ loss, const int *__restrict__ rank, index_t rows)) {
	double sum = 0;
	int counted = 0, top1 = 0, top5 = 0;
	for (index_t r = threadIdx.x; r < rows; r += threads) {
		sum += loss[r];
		counted += rank[r] >= 0;
		top1 += rank[r] == 0;
		top5 += rank[r] >= 0 && rank[r] < 5;
	}
	sum = block_sum<threads>(sum);
	__syncthreads();
	counted = block_sum<threads>(counted);
	__syncthreads();
	top1 = block_sum<threads>(top1);
	__syncthreads();
	top5 = block_sum<threads>(top5);
	if (threadIdx.x == 0) {
		stats[0] = static_cast<float>(sum / (counted > 0 ? counted : 1));
		stats[1] = static_cast<float>(top1);
		stats[2] = static_cast<float>(top5);
		stats[3] = static_cast<float>(counted);
	}
}

// DLOGITS = (softmax(LOGITS) - t')/counted, where stats[3] is the number of counted rows; zero in rows that do not count. DLOGITS may be LOGITS.
template <class T>
DEVICE void cross_entropy_gradient(T *dlogits, const T *logits, const float *targets, const float *stats, const double *log_sum, const float *top_logit,
								   const int *rank, index_t rows, int classes, float smooth, float uniform) {
	const index_t r = warp_row();
	const int lane = threadIdx.x % 32;
	if (r >= rows) return;
	logits += r * classes;
	targets += r * classes;
	dlogits += r * classes;
	if (rank[r] < 0) {
		for (int c = lane; c < classes; c += 32) store(dlogits + c, 0.0f);
		return;
	}
	const float scale = 1.0f / stats[3], top = top_logit[r], log_of_sum = static_cast<float>(log_sum[r]);
	for (int c = lane; c < classes; c += 32) {
		const float p = expf((load(logits + c) - top) - log_of_sum);
		store(dlogits + c, (p - (smooth * targets[c] + uniform)) * scale);
	}
}

#define CROSS_ENTROPY_GRADIENT(suffix, T)                                                                                               \
	EXPORT_KERNEL(cross_entropy_gradient##suffix, threads, 4,                                                                           \
				  (T *dlogits, const T *logits, const float *__restrict__ targets, const float *__restrict__ stats,                     \
				   const double *__restrict__ log_sum, const float *__restrict__ top_logit, const int *__restrict__ rank, index_t rows, \
				   int classes, float smooth, float uniform)) {                                                                         \
		cross_entropy_gradient(dlogits, logits, targets, stats, log_sum, top_logit, rank, rows, classes, smooth, uniform);              \
	}
FOR_EACH_TYPE(CROSS_ENTROPY_GRADIENT)
