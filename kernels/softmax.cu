// Softmax and its loss: one warp for each row of (rows, classes), 4 rows to a block. The sums are float64 and only their terms are float32: a loss
// near zero is the logarithm of a sum near one.

#include "cuda.cuh"

constexpr int threads = 128;

// The row of this warp; it may lie behind the last.
DEVICE index_t warp_row() { return static_cast<index_t>(blockIdx.x) * (threads / 32) + threadIdx.x / 32; }

// row_max is the largest element of a row, in every lane; NaN if there is one.
DEVICE float row_max(const float *x, int classes, int lane) {
	float top = x[0];
	for (int c = lane; c < classes; c += 32) top = max_nan(top, x[c]);
	return warp_max_nan(top);
}

// Y[r, :] = exp(X[r, :] - max) / sum. Y may be X.
EXPORT_KERNEL(softmax_f32, threads, 4, (float *y, const float *x, index_t rows, int classes)) {
	const index_t r = warp_row();
	const int lane = threadIdx.x % 32;
	if (r >= rows) return;
	x += r * classes;
	y += r * classes;
	const float top = row_max(x, classes, lane);
	__syncwarp();
	double sum = 0;
	for (int c = lane; c < classes; c += 32) {
		const float e = expf(x[c] - top);
		sum += e;
		y[c] = e;
	}
	const float scale = static_cast<float>(1 / warp_sum(sum));
	for (int c = lane; c < classes; c += 32) y[c] *= scale;
}

// DX (+)= Y·(DY - sum(DY·Y)) for each row. DX may be DY.
EXPORT_KERNEL(softmax_backward_f32, threads, 4,
			  (float *dx, const float *y, const float *dy, index_t rows, int classes, int accumulate)) {
	const index_t r = warp_row();
	const int lane = threadIdx.x % 32;
	if (r >= rows) return;
	y += r * classes;
	dy += r * classes;
	dx += r * classes;
	double dot = 0;
	for (int c = lane; c < classes; c += 32) dot += static_cast<double>(y[c]) * dy[c];
	dot = warp_sum(dot);
	for (int c = lane; c < classes; c += 32) {
		const double d = y[c] * (dy[c] - dot);
		dx[c] = static_cast<float>(accumulate ? dx[c] + d : d);
	}
}

// A row as the launches of the cross-entropy pass it on: its loss, the log of its sum relative to its largest logit, and how many logits come
// before that of the target class, or -1 if the row does not count.
//
//	loss[r], log_sum[r]  float64     top[r]  float32     rank[r]  int32
//
// The target t' is (1-smoothing)·t + smoothing/classes; `smooth` is the first factor and `uniform` the last summand.
EXPORT_KERNEL(cross_entropy_rows_f32, threads, 4,
			  (double *loss, double *log_sum, float *top_logit, int *rank, const float *__restrict__ logits, const float *__restrict__ targets,
			   index_t rows, int classes, float smooth, float uniform)) {
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

	const float top = row_max(logits, classes, lane), own = logits[target];
	double sum = 0;
	int before = 0;
	for (int c = lane; c < classes; c += 32) {
		const float v = logits[c];
		sum += expf(v - top);
		if ((c < target && !(v < own)) || (c > target && !(v <= own))) before++; // so that NaN comes before everything
	}
	const double log_of_sum = log(warp_sum(sum));
	before = warp_sum(before);

	double total = 0;
	for (int c = lane; c < classes; c += 32) {
		const double soft = static_cast<double>(smooth) * targets[c] + uniform;
		total -= soft * ((logits[c] - top) - log_of_sum);
	}
	total = warp_sum(total);
	if (lane == 0) {
		loss[r] = total;
		log_sum[r] = log_of_sum;
		top_logit[r] = top;
		rank[r] = before;
	}
}

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
EXPORT_KERNEL(cross_entropy_gradient_f32, threads, 4,
			  (float *dlogits, const float *logits, const float *__restrict__ targets, const float *__restrict__ stats,
			   const double *__restrict__ log_sum, const float *__restrict__ top_logit, const int *__restrict__ rank, index_t rows, int classes,
			   float smooth, float uniform)) {
	const index_t r = warp_row();
	const int lane = threadIdx.x % 32;
	if (r >= rows) return;
	logits += r * classes;
	targets += r * classes;
	dlogits += r * classes;
	if (rank[r] < 0) {
		for (int c = lane; c < classes; c += 32) dlogits[c] = 0;
		return;
	}
	const float scale = 1.0f / stats[3], top = top_logit[r], log_of_sum = static_cast<float>(log_sum[r]);
	for (int c = lane; c < classes; c += 32) {
		const float p = expf((logits[c] - top) - log_of_sum);
		dlogits[c] = (p - (smooth * targets[c] + uniform)) * scale;
	}
}
